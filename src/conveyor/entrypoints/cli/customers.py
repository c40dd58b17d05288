"""`conveyor customers`: what a customer may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.options import json_option, run, why_option, with_target
from conveyor.entrypoints.cli.output import emit, say

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target


@click.group()
def customers() -> None:
    """Look after what is known of customers."""


@customers.command()
@click.argument("customer", metavar="ID")
@why_option
@with_target
@json_option
@click.pass_context
def erase(
    context: click.Context, customer: str, why: str, target: Target, *, as_json: bool
) -> None:
    """Take what is personal of a customer out of all their orders, and keep the books.

    ID is the customer.id of the orders. What is under way keeps it until it is at its end: it is
    named, and the exit code is 1. Run it again then. What is gone is gone for good.
    """
    done = run(_erase(target, customer, why))
    emit(done, as_json=as_json, show=_show)
    if done["kept"]:
        context.exit(1)


async def _erase(target: Target, customer: str, why: str) -> Json:
    async with target.client() as client:
        return await client.post("/v1/customers/erase", {"customer": customer}, why=why)


def _show(done: Mapping[str, Any]) -> None:
    before = f", {done['erased_before']:,} before" if done["erased_before"] else ""
    say(f"Erased in {done['erased']:,} orders of customer {done['customer']}{before}.")
    for kept in done["kept"]:
        say(f"Not yet: {kept['what']} {kept['why']}.")
