"""`conveyor explain`: an order's whole story."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.options import archive_option, json_option, run, with_target
from conveyor.entrypoints.cli.order_names import a_name, id_of
from conveyor.entrypoints.cli.output import emit, say

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target


@click.command()
@click.argument("order", callback=a_name)
@archive_option
@with_target
@json_option
def explain(order: str, archive: Path | None, target: Target, *, as_json: bool) -> None:
    """Tell the whole story of ORDER, an id or the reference of one order.

    Every step, attempt, refusal and dropped duplicate; what it waits for and until when; and what
    can be done about it. Of an order in the archive it is told from there.
    """
    story = run(_explain(replace(target, archive=archive), order))
    emit(story, as_json=as_json, show=lambda story: say("\n".join(story["sentences"])))


async def _explain(target: Target, order: str) -> Json:
    async with target.client() as client:
        order_id = await id_of(client, order, target)
        return await client.get(f"/v1/orders/{order_id}/explain")
