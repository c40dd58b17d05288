"""`conveyor place` and `conveyor orders`: placing orders, and looking after them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
from click.core import ParameterSource

from conveyor.core.order_status import TERMINAL, OrderStatus
from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.bulk import Doing, in_bulk, rate_option, yes_option
from conveyor.entrypoints.cli.export import export_orders
from conveyor.entrypoints.cli.options import (
    archive_option,
    json_option,
    limit_option,
    run,
    with_target,
)
from conveyor.entrypoints.cli.order_filters import filter_options, where_option
from conveyor.entrypoints.cli.order_names import a_name, id_of, is_one
from conveyor.entrypoints.cli.order_words import cancelled, show_list, show_order, tell
from conveyor.entrypoints.cli.output import emit, note, say
from conveyor.entrypoints.cli.pages import collect

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

WATCH_SECONDS = 1.0
WATCHED = 100


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--key", metavar="KEY", help="Idempotency key: at most one order for it.")
@with_target
@json_option
def place(file: BinaryIO, key: str | None, target: Target, *, as_json: bool) -> None:
    """Place the order in FILE (JSON); - reads standard input."""
    if key == "":  # as of a variable that is not set: the same again would be another order
        raise click.BadParameter("is empty; whoever wants none leaves it out.", param_hint="--key")
    body = file.read()
    placed = run(_call(target, "POST", "/v1/orders", body, key=key or "", begins=True, moves=True))
    if not as_json:
        note(f"An order of {placed['amount']}:")  # beside the id, which scripts take
    emit(placed, as_json=as_json, show=lambda order: say(order["id"]))


@click.group()
def orders() -> None:
    """List, show, cancel, refund, redrive and watch orders."""


@orders.command("list")
@filter_options
@click.option("--csv", "as_csv", is_flag=True, help="Write all that match as CSV, with headings.")
@click.option("--jsonl", "as_lines", is_flag=True, help="Write all that match, an object a line.")
@limit_option
@with_target
@json_option
@click.pass_context
def list_(
    context: click.Context,
    /,
    limit: int,
    target: Target,
    *,
    as_csv: bool,
    as_lines: bool,
    as_json: bool,
    **filters: str | None,
) -> None:
    """List orders, the newest first.

    With --csv or --jsonl all of them are written, page by page, unless --limit is given.
    """
    filters["merchant"] = target.merchant or None
    if as_csv + as_lines + as_json > 1:
        raise click.UsageError("--csv, --jsonl and --json are three forms of one list: choose one.")
    if as_csv or as_lines:
        given = context.get_parameter_source("limit") != ParameterSource.DEFAULT
        run(export_orders(target, filters, limit if given else None, as_csv=as_csv))
        return
    found = run(collect(target, "/v1/orders", "orders", limit, **filters))
    emit(found, as_json=as_json, show=show_list)


@orders.command()
@click.argument("order", callback=a_name)
@archive_option
@with_target
@json_option
def show(order: str, archive: Path | None, target: Target, *, as_json: bool) -> None:
    """Show an order as it was placed, and where it is, be it in the archive.

    ORDER is an id, or the reference of one order.
    """
    target = replace(target, archive=archive)
    found = run(_of_order(target, order, "GET", "/v1/orders/{}"))
    emit(found, as_json=as_json, show=show_order)


@orders.command()
@click.argument("order", callback=a_name, required=False)
@where_option
@click.option("--reason", default="", help="Why; kept in the order's story.")
@yes_option
@rate_option
@with_target
@json_option
def cancel(
    order: str | None,
    where: dict[str, str],
    reason: str,
    target: Target,
    *,
    yes: bool,
    rate: float,
    as_json: bool,
) -> None:
    """Cancel an order, and say what happens to the money; exit code 1 when it is too late.

    ORDER is an id, or the reference of one order. With --where it is all that match: first that
    says what would become of them, and --yes does it; Ctrl-C stops, and the same command goes on.
    """
    body = {"reason": reason}
    if is_one(order, where):
        answer = run(_of_order(target, order, "POST", "/v1/orders/{}/cancel", body))
        emit(answer, as_json=as_json, show=lambda answer: say(cancelled(answer)))
        return
    doing = Doing("cancel", "cancelled", "/v1/orders/{}/cancel".format, body)
    in_bulk(target, doing, where, yes=yes, rate=rate, as_json=as_json)


@orders.command()
@click.argument("order", callback=a_name, required=False)
@where_option
@yes_option
@rate_option
@with_target
@json_option
def redrive(
    order: str | None,
    where: dict[str, str],
    target: Target,
    *,
    yes: bool,
    rate: float,
    as_json: bool,
) -> None:
    """Let a parked order take its step again.

    ORDER is an id, or the reference of one order. With --where it is all that are parked and match:
    first that says what would become of them, and --yes does it; Ctrl-C stops, and the same command
    goes on.
    """
    if is_one(order, where):
        decided = run(_of_order(target, order, "POST", "/v1/dead-letters/{}/redrive"))
        emit(decided, as_json=as_json, show=lambda it: say(f"Order {it['id']} is redriven."))
        return
    doing = Doing("redrive", "redriven", "/v1/dead-letters/{}/redrive".format, None)
    where = {"status": OrderStatus.PARKED, **where}
    in_bulk(target, doing, where, yes=yes, rate=rate, as_json=as_json)


@orders.command()
@click.argument("order", callback=a_name, required=False)
@with_target
@json_option
def watch(order: str | None, target: Target, *, as_json: bool) -> None:
    """Follow one order until its end, or the newest orders until Ctrl-C.

    Prints a line whenever an order moves on; with --json an object a line.
    """
    run(_watch(target, order, as_json=as_json))


async def _call(
    target: Target,
    method: str,
    path: str,
    body: Json = None,
    *,
    key: str = "",
    begins: bool = False,
    moves: bool = False,
) -> Json:
    async with target.client(begins=begins, moves=moves) as client:
        return (await client.send(method, path, body, key=key))[0]


async def _of_order(target: Target, order: str, method: str, path: str, body: Json = None) -> Json:
    async with target.client(moves=method != "GET") as client:
        order_id = await id_of(client, order, target)
        return (await client.send(method, path.format(order_id), body))[0]


async def _watch(target: Target, order: str | None, *, as_json: bool) -> None:
    versions: dict[str, int] = {}
    async with target.client() as client:
        order = order and await id_of(client, order, target)
        while True:
            if order:
                found = [await client.get(f"/v1/orders/{order}")]
            else:
                page = await client.get("/v1/orders", limit=WATCHED)
                found = page["orders"][::-1]
            for each in found:
                if versions.get(each["id"]) != each["version"]:
                    tell(each, as_json=as_json)
            versions = {each["id"]: each["version"] for each in found}
            if order and found[0]["status"] in TERMINAL:
                return
            await asyncio.sleep(WATCH_SECONDS)
