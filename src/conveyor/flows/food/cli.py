"""`conveyor restaurants` and `conveyor riders`: who prepares meals, and who brings them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

import click
import orjson

from conveyor.entrypoints.cli.options import json_option, limit_option, run, with_target
from conveyor.entrypoints.cli.output import emit, say, table
from conveyor.entrypoints.cli.pages import collect

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

RESTAURANTS = "/v1/restaurants"
RIDERS = "/v1/riders"


@click.group()
def restaurants() -> None:
    """Import and list restaurants."""


@click.group()
def riders() -> None:
    """Import and list riders."""


@restaurants.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@with_target
@json_option
def import_restaurants(file: TextIO, target: Target, *, as_json: bool) -> None:
    """Make or change restaurants: FILE has a JSON object a line, with an `id`; - reads stdin."""
    _import(target, RESTAURANTS, file, as_json=as_json)


@restaurants.command("list")
@limit_option
@with_target
@json_option
def list_restaurants(limit: int, target: Target, *, as_json: bool) -> None:
    """List restaurants, and how much each prepares."""
    found = run(collect(target, RESTAURANTS, "restaurants", limit))
    emit(found, as_json=as_json, show=_show_restaurants)


@riders.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@with_target
@json_option
def import_riders(file: TextIO, target: Target, *, as_json: bool) -> None:
    """Make or change riders: FILE has a JSON object a line, with an `id`; - reads stdin."""
    _import(target, RIDERS, file, as_json=as_json)


@riders.command("list")
@limit_option
@with_target
@json_option
def list_riders(limit: int, target: Target, *, as_json: bool) -> None:
    """List riders, and what each carries."""
    emit(run(collect(target, RIDERS, "riders", limit)), as_json=as_json, show=_show_riders)


def _import(target: Target, path: str, file: TextIO, *, as_json: bool) -> None:
    rows = list(_rows(file))
    count = run(_put_all(target, path, rows))
    emit({"set": count}, as_json=as_json, show=lambda _: say(f"{count:,} are set."))


def _rows(file: TextIO) -> Iterable[dict[str, Any]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise click.ClickException(f"line {number}: not JSON: {error}") from error
        if not isinstance(row, dict) or not isinstance(row.get("id"), str):
            raise click.ClickException(f"line {number}: needs an object with an id")
        yield row


async def _put_all(target: Target, path: str, rows: Iterable[dict[str, Any]]) -> int:
    count = 0
    async with target.client(begins=True) as client:
        for row in rows:
            name = quote(row.pop("id"), safe="")
            await client.put(f"{path}/{name}", row)
            count += 1
    return count


def _show_restaurants(found: Iterable[Mapping[str, Any]]) -> None:
    rows = [
        (
            one["id"],
            f"{one['latitude']:.4f}, {one['longitude']:.4f}",
            "open" if one["is_open"] else "closed",
            f"{one['preparing']} of {one['max_preparing']}",
            one["simulated"],
        )
        for one in found
    ]
    if rows:
        table(("restaurant", "place", "now", "prepares", "simulated"), rows)
    else:
        say("No restaurants: `conveyor restaurants import FILE`.")


def _show_riders(found: Iterable[Mapping[str, Any]]) -> None:
    rows = [
        (
            one["id"],
            f"{one['latitude']:.4f}, {one['longitude']:.4f}",
            one["shift_until"] or "off shift",
            f"{one['load']} of {one['capacity']}",
            one["heard_at"],
            one["simulated"],
        )
        for one in found
    ]
    if rows:
        table(("rider", "place", "shift until", "carries", "heard", "simulated"), rows)
    else:
        say("No riders: `conveyor riders import FILE`.")


COMMANDS: tuple[click.Command, ...] = (restaurants, riders)
