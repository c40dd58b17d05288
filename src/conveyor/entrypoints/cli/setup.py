"""`conveyor migrate` and `conveyor queues provision`: what a deployment needs once."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conveyor.entrypoints.cli.options import data_option, json_option, run
from conveyor.entrypoints.cli.output import emit, note, say, table

if TYPE_CHECKING:
    from conveyor.adapters.sqs.attributes import Difference
    from conveyor.adapters.sqs.provisioning import Provisioned


@click.command()
@data_option
@json_option
def migrate(data: Path, *, as_json: bool) -> None:
    """Bring the database up to date.

    An embedded database does so by itself; on PostgreSQL, run this before a new version.
    """
    applied = run(_migrate(data))
    said = f"Applied: {', '.join(applied)}." if applied else "The database is up to date."
    emit({"applied": applied}, as_json=as_json, show=lambda _: say(said))


@click.group()
def queues() -> None:
    """Set up the queues."""


@queues.command()
@data_option
@click.option(
    "--kms-key",
    envvar="CONVEYOR_QUEUE_KMS_KEY",
    default="",
    metavar="KEY",
    help="Encrypt with this key of AWS KMS (id, ARN or alias/NAME) instead of SQS's own.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
def provision(data: Path, kms_key: str, *, dry_run: bool, as_json: bool) -> None:
    """Make the queues, and put right what differs.

    On Amazon SQS each service has a queue and a dead-letter queue, with the redrive policy between
    them, visibility, retention, long polls and encryption, refused to whoever comes without TLS. A
    second run changes nothing. What the queue service does not keep is told.
    """
    done = run(_provision(data, kms_key, dry_run=dry_run))
    emit(
        {"dry_run": dry_run, **_by_action(done), "queues": [asdict(it) for it in done]},
        as_json=as_json,
        show=lambda _: _show_provisioned(done, dry_run=dry_run),
    )
    for it in done:
        for lost in it.not_kept:
            note(f"{it.queue}: {lost.attribute} is not {lost.expected}: {lost.cause}.")


async def _migrate(data: Path) -> list[str]:
    from conveyor.settings import Settings
    from conveyor.system.backends import open_database
    from conveyor.system.installation import installation
    from conveyor.system.tables import migrate_all

    settings = Settings(data=data)
    database = open_database(settings)
    try:
        return await migrate_all(database, installation(settings))
    finally:
        await database.close()


async def _provision(data: Path, kms_key: str, *, dry_run: bool) -> list[Provisioned]:
    from conveyor.settings import Settings
    from conveyor.system.provisioning import provision_queues

    settings = Settings(data=data)
    key = kms_key or settings.queue_kms_key
    return await provision_queues(settings, key, dry_run=dry_run)


def _by_action(done: list[Provisioned]) -> dict[str, list[str]]:
    of = {"created": "made", "changed": "changed", "left": "left"}
    return {said: [it.name for it in done if it.action == action] for said, action in of.items()}


def _show_provisioned(done: list[Provisioned], *, dry_run: bool) -> None:
    if not done:
        say("Embedded queues are made when they are opened: there is nothing to provision.")
        return
    rows = [
        (it.queue, _said_of(it, dry_run=dry_run), *_facts(change))
        for it in done
        for change in (it.changes if it.action == "changed" else ()) or (None,)
    ]
    table(("queue", "", "attribute", "was", "is to be" if dry_run else "is"), rows)
    counts = ", ".join(f"{len(names)} {said}" for said, names in _by_action(done).items())
    say(f"{counts}. Nothing was done: a dry run." if dry_run else f"{counts}.")


def _said_of(done: Provisioned, *, dry_run: bool) -> str:
    return f"to be {done.action}" if dry_run and done.action != "left" else done.action


def _facts(change: Difference | None) -> tuple[str, str, str]:
    if change is None:
        return ("", "", "")
    return (change.attribute, change.found or "not set", change.expected)
