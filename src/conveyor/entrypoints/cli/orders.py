"""`conveyor place` and `conveyor orders`: placing orders, and looking after them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from conveyor.core.order_status import TERMINAL, OrderStatus
from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.options import an_id, json_option, limit_option, run, with_target
from conveyor.entrypoints.cli.output import emit, money, note, say, table
from conveyor.entrypoints.cli.pages import collect

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

WATCH_SECONDS = 1.0
WATCHED = 100
A_TIME = "2026-01-31T12:00:00Z"
COLUMNS = ("order", "placed", "flow", "reference", "status", "total")
ADDRESS = ("name", "line1", "line2", "postal_code", "city", "region", "country")
DATE_AND_MINUTE = slice(0, 16)
"""Of a time as the API writes it."""


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
    """List, show, cancel and watch orders."""


@orders.command("list")
@click.option("--status", type=click.Choice([*map(str, OrderStatus)]), help="Only these.")
@click.option("--flow", metavar="NAME", help="Only orders of this flow.")
@click.option("--reference", metavar="TEXT", help="Only orders with exactly this reference.")
@click.option("--customer", metavar="ID", help="Only this customer's orders.")
@click.option("--placed-after", metavar="TIME", help=f"Only from then on, such as {A_TIME}.")
@click.option("--placed-before", metavar="TIME", help="Only until then.")
@limit_option
@with_target
@json_option
def list_(limit: int, target: Target, *, as_json: bool, **filters: str | None) -> None:
    """List orders, the newest first."""
    found = run(collect(target, "/v1/orders", "orders", limit, **filters))
    emit(found, as_json=as_json, show=_show_list)


@orders.command()
@click.argument("order", callback=an_id)
@with_target
@json_option
def show(order: str, target: Target, *, as_json: bool) -> None:
    """Show an order as it was placed, and where it is."""
    found = run(_call(target, "GET", f"/v1/orders/{order}"))
    emit(found, as_json=as_json, show=_show_order)


@orders.command()
@click.argument("order", callback=an_id)
@click.option("--reason", default="", help="Why; kept in the order's story.")
@with_target
@json_option
def cancel(order: str, reason: str, target: Target, *, as_json: bool) -> None:
    """Cancel an order, and say what happens to the money; exit code 1 when it is too late."""
    path = f"/v1/orders/{order}/cancel"
    answer = run(_call(target, "POST", path, {"reason": reason}, moves=True))
    emit(answer, as_json=as_json, show=lambda answer: say(_cancelled(answer)))


@orders.command()
@click.argument("order", callback=an_id, required=False)
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


async def _watch(target: Target, order: str | None, *, as_json: bool) -> None:
    versions: dict[str, int] = {}
    async with target.client() as client:
        while True:
            if order:
                found = [await client.get(f"/v1/orders/{order}")]
            else:
                page = await client.get("/v1/orders", limit=WATCHED)
                found = page["orders"][::-1]
            for each in found:
                if versions.get(each["id"]) != each["version"]:
                    _tell(each, as_json=as_json)
            versions = {each["id"]: each["version"] for each in found}
            if order and found[0]["status"] in TERMINAL:
                return
            await asyncio.sleep(WATCH_SECONDS)


def _tell(order: Mapping[str, Any], *, as_json: bool) -> None:
    import orjson

    if as_json:
        click.echo(orjson.dumps(order).decode())
        return
    said = f"{order['status']}{_where_and_why(order)}"
    say(f"{order['updated_at']}  {order['id']}  {said}")


def _where_and_why(order: Mapping[str, Any]) -> str:
    where = f" at {order['step']}" if order["step"] else ""
    return where + (f": {order['reason']}" if order["reason"] else "")


def _show_list(found: Iterable[Mapping[str, Any]]) -> None:
    rows = [
        (
            order["id"],
            f"{order['placed_at'][DATE_AND_MINUTE].replace('T', ' ')}Z",
            order["flow"],
            order["reference"],
            f"{order['status']}{_where_and_why(order)}",
            money(order["total"], order["currency"]),
        )
        for order in found
    ]
    if rows:
        table(COLUMNS, rows, right=("total",), spare="reference")
    else:
        say("No orders.")


def _show_order(order: Mapping[str, Any]) -> None:
    rows: list[tuple[str, object]] = [
        (name.replace("_", " "), order[name])
        for name in ("id", "flow", "reference", "status", "step", "reason", "customer_id")
        if order[name]
    ]
    rows += [("item", f"{item['quantity']} {item['sku']}") for item in order["items"]]
    rows.append(("total", money(order["total"], order["currency"])))
    rows.append(("payment", order["payment"]["method"]))
    if address := ", ".join(filter(None, map(order["shipping"].get, ADDRESS))):
        rows.append(("ships to", address))
    rows += [(name, order[f"{name}_at"]) for name in ("placed", "updated", "settled")]
    table(("", ""), [row for row in rows if row[1] is not None])


def _cancelled(answer: Mapping[str, Any]) -> str:
    outcome = answer["outcome"]
    stands = (
        "It is cancelled" if answer["status"] == OrderStatus.CANCELLED else "It is being cancelled"
    )
    if outcome == "part_refund":
        kept, rest = (money(answer[sum_], answer["currency"]) for sum_ in ("kept", "returned"))
        becomes = f"that late it costs {kept}; {rest} goes back"
    else:
        becomes = _MONEY[outcome]
    steps = f" Still to run: {', '.join(answer['steps'])}." if answer["steps"] else ""
    return f"{stands}: {becomes}.{steps}"


_MONEY = {
    "void": "what was authorized is let go",
    "refund": "what was captured is paid back",
    "nothing_to_return": "no money has moved",
}
