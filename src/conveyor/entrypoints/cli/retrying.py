"""`conveyor orders retry`: what waits for its next try has it now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.options import json_option, run, why_option, with_target
from conveyor.entrypoints.cli.order_names import a_name, id_of
from conveyor.entrypoints.cli.output import emit, say

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target


@click.command()
@click.argument("order", callback=a_name)
@why_option
@with_target
@json_option
def retry(order: str, why: str, target: Target, *, as_json: bool) -> None:
    """Let ORDER have its next try now: an id, or the reference of one order.

    For one that rests after a failure, or waits for a provider that is paused; `conveyor explain`
    says which it is. A call of which nobody knows what became is asked about first, as ever. One
    that is parked is redriven instead.
    """
    retried = run(_retry(target, order, why))
    emit(retried, as_json=as_json, show=lambda it: say(f"Order {it['id']} has its next try now."))


async def _retry(target: Target, order: str, why: str) -> Json:
    async with target.client(moves=True) as client:
        order_id = await id_of(client, order, target)
        query = {"why": why} if why else None
        return (await client.send("POST", f"/v1/orders/{order_id}/retry", query=query))[0]
