"""`conveyor gift-card`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from conveyor.entrypoints.cli.options import json_option, run, with_target
from conveyor.entrypoints.cli.output import emit, money, say

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target


@click.command("gift-card")
@click.argument("order")
@with_target
@json_option
def gift_card(order: str, target: Target, *, as_json: bool) -> None:
    """Show the gift card that ORDER paid for."""
    emit(run(_get(target, order)), as_json=as_json, show=_show)


async def _get(target: Target, order: str) -> Mapping[str, Any]:
    async with target.client() as client:
        card: Mapping[str, Any] = await client.get(f"/v1/gift-cards/{order}")
        return card


def _show(card: Mapping[str, Any]) -> None:
    say(f"{money(card['value'], card['currency'])} for {card['recipient']}: {card['state']}.")
