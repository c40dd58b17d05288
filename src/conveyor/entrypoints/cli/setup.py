"""`conveyor migrate` and `conveyor queues provision`: what a deployment needs once."""

from __future__ import annotations

from pathlib import Path

import click

from conveyor.entrypoints.cli.options import data_option, json_option, run
from conveyor.entrypoints.cli.output import emit, say


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
@json_option
def provision(data: Path, *, as_json: bool) -> None:
    """Create the queues that are missing.

    On Amazon SQS each gets its dead-letter queue, redrive policy, encryption and retention.
    """
    created = run(_provision(data))
    said = f"Created: {', '.join(created)}." if created else "All queues are there."
    emit({"created": created}, as_json=as_json, show=lambda _: say(said))


async def _migrate(data: Path) -> list[str]:
    from conveyor.adapters.migrations import migrate as bring_up_to_date
    from conveyor.app.backends import open_database
    from conveyor.app.installation import installation
    from conveyor.app.opening import create_tables
    from conveyor.settings import Settings

    settings = Settings(data=data)
    database = open_database(settings)
    try:
        applied = await bring_up_to_date(database)
        await create_tables(database, installation(settings))
        return applied
    finally:
        await database.close()


async def _provision(data: Path) -> list[str]:
    from conveyor.adapters.steady_clock import MachineClock
    from conveyor.app.backends import open_queues
    from conveyor.app.installation import installation
    from conveyor.app.opening import ambient_of
    from conveyor.settings import Settings

    settings = Settings(data=data)
    specs = installation(settings).queues
    queues = open_queues(settings, specs, ambient_of(MachineClock()))
    await queues.open()
    try:
        return await queues.provision(specs)
    finally:
        await queues.close()
