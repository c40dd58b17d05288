"""`conveyor bookings`: the flights and hotel nights that can be booked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

import click

from conveyor.entrypoints.cli.options import json_option, limit_option, run, with_target
from conveyor.entrypoints.cli.output import emit, say, table
from conveyor.entrypoints.cli.pages import collect

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

ROWS_A_REQUEST = 2_000
MAX_OVERBOOKING_PERCENT = 100


@click.group()
def bookings() -> None:
    """Import and list flights and hotel nights."""


@bookings.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option(
    "--overbooking",
    type=click.IntRange(0, MAX_OVERBOOKING_PERCENT),
    default=0,
    show_default=True,
    metavar="PERCENT",
    help="Given away beyond the capacity, where a line does not say its own.",
)
@with_target
@json_option
def import_(file: TextIO, overbooking: int, target: Target, *, as_json: bool) -> None:
    """Set what there is to book: FILE is CSV, - reads stdin.

    Its header has flight,date,seats, or hotel,date,rooms with a line for each night.
    """
    from conveyor.flows.travel.bookings.resource_file import read_resource_file

    rows = [
        dict(zip(("kind", "name", "date"), one.name.split("/", 2), strict=True))
        | {"capacity": one.capacity, "overbooking": one.overbooking}
        | {"description": one.description}
        for one in read_resource_file(file, overbooking)
    ]
    count = run(_import(target, rows))
    said = f"{count:,} flights and hotel nights can be booked."
    emit({"resources": count}, as_json=as_json, show=lambda _: say(said))


@bookings.command("list")
@click.option("--kind", type=click.Choice(["flight", "hotel"]))
@limit_option
@with_target
@json_option
def list_(kind: str | None, limit: int, target: Target, *, as_json: bool) -> None:
    """List flights and hotel nights: what is held, booked and free, and how many wait."""
    query = {"kind": kind} if kind else {}
    found = run(collect(target, "/v1/resources", "resources", limit, **query))
    emit(found, as_json=as_json, show=_show)


async def _import(target: Target, rows: list[dict[str, Any]]) -> int:
    count = 0
    async with target.client(begins=True) as client:
        for start in range(0, len(rows), ROWS_A_REQUEST):
            page = rows[start : start + ROWS_A_REQUEST]
            count += (await client.post("/v1/resources/import", {"resources": page}))["resources"]
    return count


def _show(found: Iterable[Mapping[str, Any]]) -> None:
    columns = ("capacity", "held", "booked", "free", "waiting")
    rows = [
        (f"{one['kind']} {one['name']}", one["date"], *(f"{one[name]:,}" for name in columns))
        for one in found
    ]
    if rows:
        table(("resource", "date", *columns), rows, right=columns)
    else:
        say("Nothing can be booked: `conveyor bookings import FILE`.")


COMMANDS: tuple[click.Command, ...] = (bookings,)
