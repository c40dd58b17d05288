"""`conveyor orders answer`: what a person says to a step that awaits it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.options import json_option, run, with_target
from conveyor.entrypoints.cli.order_names import a_name, id_of
from conveyor.entrypoints.cli.output import emit, say

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target


@click.command()
@click.argument("order", callback=a_name)
@click.argument("step")
@click.argument("answer", metavar="JSON")
@click.option(
    "--order-version",
    type=click.IntRange(min=1),
    help="Answer only while the order has this version; an external step needs it.",
)
@with_target
@json_option
def answer(
    order: str,
    step: str,
    answer: str,
    order_version: int | None,
    target: Target,
    *,
    as_json: bool,
) -> None:
    """Answer STEP of ORDER, which awaits it; exit code 1 when it does not.

    ORDER is an id, or the reference of one order.
    JSON is an object of what the step takes, as in '{"approved": true, "by": "sam"}'.
    """
    query = "" if order_version is None else f"?version={order_version}"
    taken = run(_answer(target, order, f"{quote(step, safe='')}{query}", answer))
    emit(taken, as_json=as_json, show=lambda _: say("The answer is taken."))


async def _answer(target: Target, order: str, to: str, answer: str) -> Json:
    async with target.client(moves=True) as client:
        path = f"/v1/orders/{await id_of(client, order, target)}/answers/{to}"
        return (await client.send("POST", path, answer.encode()))[0]
