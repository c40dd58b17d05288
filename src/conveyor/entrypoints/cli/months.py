"""`conveyor months`: the story of old orders is detached by month."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conveyor.entrypoints.cli.errors import MisuseError, TroubleError
from conveyor.entrypoints.cli.options import data_option, json_option, run
from conveyor.entrypoints.cli.output import counted, emit, say, say_command, table

if TYPE_CHECKING:
    from conveyor.core.months import Month
    from conveyor.operations.months import Kept, Plan
    from conveyor.settings import Settings

MIB = 1 << 20


@click.group()
def months() -> None:
    """Detach the story of old orders, by month (PostgreSQL)."""


@months.command("list")
@data_option
@json_option
def list_(data: Path, *, as_json: bool) -> None:
    """List the months in which orders were placed, with what their story takes.

    Timelines and calls are kept by month. Rows are estimated. A month with open orders, parked ones
    among them, cannot be detached.
    """
    kept = run(_list(data))
    emit([asdict(it) for it in kept], as_json=as_json, show=lambda _: _show(kept))


@months.command()
@data_option
@json_option
def make(data: Path, *, as_json: bool) -> None:
    """Make the months that are missing.

    Moves there what the default partition has of them; orders wait meanwhile.
    """
    made = run(_make(data))
    said = f"Made: {', '.join(made)}." if made else "No month is missing."
    emit({"made": made}, as_json=as_json, show=lambda _: say(said))


def _a_month(_context: click.Context, _param: click.Parameter, value: str) -> Month:
    from conveyor.core.months import Month

    try:
        return Month.named(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no month as 2026-07 is.") from None


@months.command()
@click.option("--before", required=True, callback=_a_month, metavar="YYYY-MM", help="Not this one.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be done.")
@data_option
@json_option
def detach(before: Month, data: Path, *, yes: bool, as_json: bool) -> None:
    """Detach timelines and calls of the months before one.

    Says what it would do, and does it with --yes. Their orders stay, and are looked at as before
    but for their story. The tables stay too, as `detached_...`, to be dumped and dropped. Refused
    while an order of such a month is open.
    """
    planned, kept = run(_detach(data, before, yes=yes))
    if planned.open:
        named = ", ".join(planned.examples)
        raise TroubleError(
            f"{counted(planned.open, 'order')} of these months must come to an end first: {named}"
            f"{', ...' if planned.open > len(planned.examples) else ''}.",
            "`conveyor explain ORDER` says what each waits for. Nothing was done.",
        )
    result = {"detached": yes, "months": [asdict(it) for it in planned.months], "tables": kept}
    emit(result, as_json=as_json, show=lambda _: _say_detached(planned, kept, yes=yes))


def _show(kept: list[Kept]) -> None:
    rows = [
        (
            it.name,
            f"{sum(size.rows for size in it.tables.values()):,}",
            f"{sum(size.bytes for size in it.tables.values()) / MIB:,.1f}",
            f"{it.open:,}",
            ("detached" if it.tables else "detached, and dropped") if it.detached_at else "",
        )
        for it in kept
    ]
    columns = ("placed in", "rows", "MiB", "open orders", "")
    table(columns, rows, right=columns[1:4])


def _say_detached(planned: Plan, kept: list[str], *, yes: bool) -> None:
    if not planned.months:
        say("There is nothing to detach.")
        return
    _show(planned.months)
    if not yes:
        say("All of their orders are at their end. Nothing was done: say --yes to detach them.")
        return
    say("Detached. What they were is no part of the system any more. To keep it, and be rid of it:")
    for name in kept:
        say_command(f'  pg_dump --format=custom --table={name} --file={name}.dump "$DATABASE_URL"')
    drop = "; ".join(f"DROP TABLE {name}" for name in kept)
    say_command(f'  psql "$DATABASE_URL" -c "{drop}"')


async def _list(data: Path) -> list[Kept]:
    from conveyor.operations.months import by_month, listed

    async with by_month(_settings(data)) as database:
        return await listed(database)


async def _make(data: Path) -> list[str]:
    from conveyor.operations.months import by_month
    from conveyor.operations.months import make as make_missing
    from conveyor.system.months import make_months

    async with by_month(_settings(data)) as database:
        with _patience():
            await make_months(database)
            return await make_missing(database)


async def _detach(data: Path, before: Month, *, yes: bool) -> tuple[Plan, list[str]]:
    from conveyor.operations import months as operated
    from conveyor.system.months import servers_clock

    async with operated.by_month(_settings(data)) as database:
        now_ms = await servers_clock(database)
        latest = operated.latest(now_ms)
        if before > latest:
            raise MisuseError(
                f"--before {before.name}: orders are still placed in a month before that.",
                f"What is before {latest.name} can be detached now.",
            )
        planned = await operated.plan(database, before)
        if planned.open or not yes:
            return planned, []
        with _patience():
            return planned, await operated.detach(database, planned, now_ms)


def _settings(data: Path) -> Settings:
    from conveyor.settings import Settings

    settings = Settings(data=data)
    if settings.database_path is not None:
        raise MisuseError(
            "only PostgreSQL keeps orders by month.", "Name one in CONVEYOR_DATABASE_URL."
        )
    return settings


@contextmanager
def _patience() -> Iterator[None]:
    """Say what it means when a table is in use for too long."""
    from conveyor.adapters.postgres.errors import is_busy
    from conveyor.core.errors import DatabaseUnavailableError

    try:
        yield
    except DatabaseUnavailableError as error:
        if not is_busy(error):
            raise
        raise TroubleError(
            "somebody has used a table for longer than orders are to wait: a dump, or a long look.",
            "What was done until then is done. Run it again; it goes on from there.",
        ) from error
