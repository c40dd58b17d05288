"""`conveyor orders answer`: what a person says to a step that awaits it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from conveyor.entrypoints.cli.options import json_option, reaching, run
from conveyor.entrypoints.cli.output import emit, say

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.reach import Reach


@click.command()
@click.argument("order")
@click.argument("step")
@click.argument("answer", metavar="JSON")
@reaching
@json_option
def answer(order: str, step: str, answer: str, reach: Reach, *, as_json: bool) -> None:
    """Answer STEP of ORDER, which awaits it; exit code 1 when it does not.

    JSON is an object of what the step takes, as in '{"approved": true, "by": "sam"}'.
    """
    taken = run(_answer(reach, order, step, answer))
    emit(taken, as_json=as_json, show=lambda _: say("The answer is taken."))


async def _answer(reach: Reach, order: str, step: str, answer: str) -> Any:  # noqa: ANN401 - JSON
    path = f"/v1/orders/{quote(order, safe='')}/answers/{quote(step, safe='')}"
    async with reach.client(moves=True) as client:
        return (await client.send("POST", path, answer.encode()))[0]
