"""How the command line shows orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from conveyor.core.order_status import OrderStatus
from conveyor.entrypoints.cli.output import money, say, table

COLUMNS = ("order", "placed", "flow", "reference", "status", "total")
ADDRESS = ("name", "line1", "line2", "postal_code", "city", "region", "country")
DATE_AND_MINUTE = slice(0, 16)
"""Of a time as the API writes it."""

_MONEY = {
    "void": "what was authorized is let go",
    "refund": "what was captured is paid back",
    "nothing_to_return": "no money has moved",
}


def tell(order: Mapping[str, Any], *, as_json: bool) -> None:
    """Say that an order has moved on; for a machine as an object on a line."""
    import orjson

    if as_json:
        click.echo(orjson.dumps(order).decode())
        return
    said = f"{order['status']}{_where_and_why(order)}"
    say(f"{order['updated_at']}  {order['id']}  {said}")


def _where_and_why(order: Mapping[str, Any]) -> str:
    where = f" at {order['step']}" if order["step"] else ""
    return where + (f": {order['reason']}" if order["reason"] else "")


def show_list(found: Iterable[Mapping[str, Any]]) -> None:
    """Show orders, a row each."""
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


def show_order(order: Mapping[str, Any]) -> None:
    """Show an order, field by field."""
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
    if archived := order["archived"]:
        rows += [("archived", archived["archived_at"]), ("in", archived["file"])]
    table(("", ""), [row for row in rows if row[1] is not None])


def cancelled(answer: Mapping[str, Any]) -> str:
    """Say what becomes of an order that was to be cancelled, and of its money."""
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
