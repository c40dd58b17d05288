"""`conveyor intake`: orders by way of the intake queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import click

from conveyor.entrypoints.cli.options import json_option, reaching, run
from conveyor.entrypoints.cli.output import emit, say

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.reach import Reach


@click.group()
def intake() -> None:
    """Hand in orders through a queue instead of HTTP."""


@intake.command()
@click.argument("file", type=click.File("rb"))
@reaching
@json_option
def send(file: BinaryIO, reach: Reach, *, as_json: bool) -> None:
    """Put each line of FILE on the intake queue as it is; - reads standard input.

    A line is an order, or the plain form {"orderId": "ORD123", "userId": "U456", "items":
    ["Item1"], "total": 100}. What is no order ends in the queue's dead-letter queue, with the
    reason: see `conveyor dead-letters list`.
    """
    bodies = [line for line in file.read().splitlines() if line.strip()]
    sent = run(_send(reach, bodies))
    emit({"sent": sent}, as_json=as_json, show=lambda _: say(f"{sent:,} messages sent."))


async def _send(reach: Reach, bodies: list[bytes]) -> Any:  # noqa: ANN401 - JSON
    async with reach.client(begins=True, moves=True) as client:
        for body in bodies:
            await client.send("POST", "/v1/intake", body)
    return len(bodies)
