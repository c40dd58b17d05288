"""`conveyor orders refund`: the money of completed orders goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from conveyor.core.order_status import OrderStatus
from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.bulk import Doing, in_bulk, rate_option, yes_option
from conveyor.entrypoints.cli.options import json_option, run, with_target
from conveyor.entrypoints.cli.order_filters import where_option
from conveyor.entrypoints.cli.order_names import a_name, id_of, is_one
from conveyor.entrypoints.cli.output import emit, money, say

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

_STANDS = {
    OrderStatus.REFUNDED: "is refunded",
    OrderStatus.PARKED: "is parked with its refund, and waits for an operator",
}


@click.command()
@click.argument("order", callback=a_name, required=False)
@where_option
@click.option("--why", required=True, metavar="TEXT", help="Kept in the order's story.")
@yes_option
@rate_option
@with_target
@json_option
def refund(
    order: str | None,
    where: dict[str, str],
    why: str,
    target: Target,
    *,
    yes: bool,
    rate: float,
    as_json: bool,
) -> None:
    """Give all the money of a completed order back; what was delivered stays where it is.

    ORDER is an id, or the reference of one order. One that is still on its way is cancelled
    instead. With --where it is all that are completed and match: first that says what would become
    of them, and --yes does it; Ctrl-C stops, and the same command goes on.
    """
    body = {"reason": why}
    if is_one(order, where):
        answer = run(_refund(target, order, body))
        emit(answer, as_json=as_json, show=lambda it: say(_refunded(it)))
        return
    doing = Doing("refund", "refunded", "/v1/orders/{}/refund".format, body)
    where = {"status": OrderStatus.COMPLETED, **where}
    in_bulk(target, doing, where, yes=yes, rate=rate, as_json=as_json)


async def _refund(target: Target, order: str, body: Json) -> Json:
    async with target.client(moves=True) as client:
        order_id = await id_of(client, order, target)
        return (await client.send("POST", f"/v1/orders/{order_id}/refund", body))[0]


def _refunded(answer: dict[str, Any]) -> str:
    stands = _STANDS.get(OrderStatus(answer["status"]), "is being refunded")
    steps = f" Still to run: {', '.join(answer['steps'])}." if answer["steps"] else ""
    back = money(answer["returned"], answer["currency"])
    return f"Order {answer['id']} {stands}: {back} in all.{steps}"
