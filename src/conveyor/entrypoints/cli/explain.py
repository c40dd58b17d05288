"""`conveyor explain`: an order's whole story."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.options import an_id, json_option, run, with_target
from conveyor.entrypoints.cli.output import emit, say

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target


@click.command()
@click.argument("order", callback=an_id)
@with_target
@json_option
def explain(order: str, target: Target, *, as_json: bool) -> None:
    """Tell the whole story of ORDER.

    Every step, attempt, refusal and dropped duplicate; what it waits for and until when; and what
    can be done about it.
    """
    story = run(_explain(target, order))
    emit(story, as_json=as_json, show=lambda story: say("\n".join(story["sentences"])))


async def _explain(target: Target, order: str) -> Json:
    async with target.client() as client:
        return await client.get(f"/v1/orders/{order}/explain")
