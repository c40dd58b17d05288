"""`conveyor intake`: orders by way of the intake queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import click

from conveyor.entrypoints.cli.options import json_option, run, with_target
from conveyor.entrypoints.cli.output import emit, note, say

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target


@click.group()
def intake() -> None:
    """Hand in orders through a queue instead of HTTP."""


@intake.command()
@click.argument("file", type=click.File("rb"))
@with_target
@json_option
def send(file: BinaryIO, target: Target, *, as_json: bool) -> None:
    """Put each line of FILE on the intake queue as it is; - reads standard input.

    A line is an order as `conveyor place` takes it, or the plain form {"orderId": "ORD123",
    "userId": "U456", "items": ["Item1"], "total": 100}. The plain form's total is in major units of
    CONVEYOR_DEFAULT_CURRENCY: 100 is USD 100.00, and 10.5 is USD 10.50. Everywhere else 100 is USD
    1.00.

    What is no order ends in the queue's dead-letter queue, with the reason: see `conveyor
    dead-letters list`.
    """
    bodies = [line for line in file.read().splitlines() if line.strip()]
    amounts = run(_send(target, bodies))
    sent, plain = len(bodies), [amount for amount in amounts if amount]
    if plain:
        first = f"the first of them comes to {plain[0]}"
        note(f"Plain forms, whose totals are in major units: {len(plain):,}; {first}.")
    emit({"sent": sent}, as_json=as_json, show=lambda _: say(f"{sent:,} messages sent."))


async def _send(target: Target, bodies: list[bytes]) -> list[str | None]:
    async with target.client(begins=True, moves=True) as client:
        answers = [(await client.send("POST", "/v1/intake", body))[0] for body in bodies]
    return [answer.get("amount") for answer in answers]
