"""`conveyor operators`: who did what, from where and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from conveyor.entrypoints.cli.options import json_option, limit_option, run, with_target
from conveyor.entrypoints.cli.order_filters import A_TIME
from conveyor.entrypoints.cli.order_words import DATE_AND_MINUTE
from conveyor.entrypoints.cli.output import emit, say, table
from conveyor.entrypoints.cli.pages import collect

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

COLUMNS = ("when", "who", "from", "action", "to what", "why")


@click.group()
def operators() -> None:
    """See what operators did."""


@operators.command("log")
@click.option("--order", metavar="ORDER", help="Only what was done to this order.")
@click.option("--key", metavar="KEY", help="Only what was done with this API key, by its id.")
@click.option("--action", metavar="NAME", help="Only this, such as orders.cancel.")
@click.option("--since", metavar="TIME", help=f"Only from then on, such as {A_TIME}.")
@limit_option
@with_target
@json_option
def log_(limit: int, target: Target, *, as_json: bool, **filters: str | None) -> None:
    """List what operators did, the newest first. Nothing in this log is ever changed."""
    found = run(collect(target, "/v1/operators/log", "actions", limit, **filters))
    emit(found, as_json=as_json, show=_show)


def _show(found: Iterable[Mapping[str, Any]]) -> None:
    rows = [
        (
            f"{one['at'][DATE_AND_MINUTE].replace('T', ' ')}Z",
            one["person"] or " ".join(filter(None, (one["label"], one["key"]))),
            one["place"],
            one["action"],
            one["order"] or one["subject"] or "",
            one["why"] or "",
        )
        for one in found
    ]
    if rows:
        table(COLUMNS, rows, spare="why")
    else:
        say("Nobody has done anything.")
