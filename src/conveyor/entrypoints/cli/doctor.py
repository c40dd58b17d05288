"""`conveyor doctor`: what is wrong with a deployment, and what to do about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conveyor.entrypoints.cli.environment import unknown_settings
from conveyor.entrypoints.cli.errors import PROBLEM, settings_in_words
from conveyor.entrypoints.cli.options import data_option, json_option, run
from conveyor.entrypoints.cli.output import counted, emit, say, table

if TYPE_CHECKING:
    from conveyor.operations.doctor import Report


@click.command()
@data_option
@json_option
@click.pass_context
def doctor(context: click.Context, data: Path, *, as_json: bool) -> None:
    """Say what is wrong with the installation, and what to do.

    Looks at settings, extensions, disk, database, queues, rights and clocks, and whether somebody
    is at work. It changes nothing, and goes on where one of them does not answer. Exit code 1 when
    something must be put right; warnings alone end with 0. With --json also the least rights that
    workers, API and tick need, as policies of IAM.
    """
    program = context.find_root().command
    misspelt = unknown_settings(program) if isinstance(program, click.Group) else {}
    report = _examined(data, misspelt)
    emit(_as_json(report), as_json=as_json, show=lambda _: _show(report))
    if not report.ok:
        raise click.exceptions.Exit(PROBLEM)


def _examined(data: Path, misspelt: dict[str, str]) -> Report:
    from pydantic import ValidationError

    from conveyor.operations.doctor import Report, examine
    from conveyor.operations.doctor.findings import failure
    from conveyor.settings import Settings

    try:
        settings = Settings(data=data)
    except ValidationError as error:
        says = f"{settings_in_words(error)}; nothing else can be looked at"
        return Report([failure("settings", "environment", says, "put it right, and ask again")])
    return run(examine(settings, misspelt))


def _as_json(report: Report) -> dict[str, object]:
    checks = [asdict(it) for it in report.findings]
    return {"ok": report.ok, "checks": checks, "policies": report.policies}


def _show(report: Report) -> None:
    rows = [(it.status, it.check, it.subject, it.says) for it in report.findings]
    table(("", "check", "of", "finding"), rows)
    todo: dict[str, list[str]] = {}
    for it in report.findings:
        if it.todo and it.status != "ok":
            todo.setdefault(it.todo, []).append(it.subject)
    if todo:
        say("What to do:")
    for what, subjects in todo.items():
        say(f"  {', '.join(dict.fromkeys(subjects))}: {what}{'' if what.endswith('?') else '.'}")
    counts = Counter(str(it.status) for it in report.findings)
    said = [counted(counts[it], it) for it in ("failure", "warning") if counts[it]]
    said += [f"{counts['ok']} ok"] if counts["ok"] else []
    say(f"{', '.join(said)}.")
