"""`conveyor explain`: an order's whole story."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from conveyor.entrypoints.cli.options import json_option, reaching, run
from conveyor.entrypoints.cli.output import emit, say

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.reach import Reach


@click.command()
@click.argument("order")
@reaching
@json_option
def explain(order: str, reach: Reach, *, as_json: bool) -> None:
    """Tell the whole story of ORDER.

    Every step, attempt, refusal and dropped duplicate; what it waits for and until when; and what
    can be done about it.
    """
    story = run(_explain(reach, order))
    emit(story, as_json=as_json, show=lambda story: say("\n".join(story["sentences"])))


async def _explain(reach: Reach, order: str) -> Any:  # noqa: ANN401 - JSON
    async with reach.client() as client:
        return await client.get(f"/v1/orders/{order}/explain")
