"""Doing one thing to all orders that match, such as cancelling: first what it would do, then it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.errors import TroubleError
from conveyor.entrypoints.cli.options import run
from conveyor.entrypoints.cli.output import counted, emit, note, say, table
from conveyor.entrypoints.cli.pages import pages
from conveyor.entrypoints.cli.progress import counting

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target
    from conveyor.entrypoints.client import Client

T = TypeVar("T")

RATE = 20.0
"""Orders a second: what is set going should not be what everybody else has to wait for."""
PREVIEW_PAGE = 100
SAMPLE = 3
ACCEPTED, ALREADY = "accepted", "already"
TOO_MUCH = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
BUSY_TRIES, BUSY_SECONDS = 30, 1.0
WORDS = {
    "too_late": "too late",
    "not_parked": "not parked",
    "not_completed": "not completed",
    "not_refundable": "not to be refunded",
    "flow_missing": "its flow is not installed",
}

yes_option = click.option(
    "--yes", is_flag=True, help="Do it; else --where only says what it would."
)
rate_option = click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=RATE,
    show_default=True,
    metavar="N",
    help="With --where and --yes: orders a second at most.",
)


@dataclass(frozen=True, slots=True)
class Doing:
    """What is to be done to each: `path` gives where that is asked for by the id of an order."""

    action: str
    done: str
    path: Callable[[str], str]
    body: Json

    def says(self, would: str) -> str:
        """Say what would come of an order."""
        words = WORDS | {ACCEPTED: self.done, ALREADY: f"{self.done} before"}
        return words.get(would, would)


@dataclass(slots=True)
class _Group:
    orders: int = 0
    sample: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Bulk:
    """How far it is. `chosen` are those for which it would be done."""

    doing: Doing
    groups: dict[tuple[str, str], _Group] = field(default_factory=dict)
    chosen: list[str] = field(default_factory=list)
    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    begun: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "action": self.doing.action,
            "matched": sum(group.orders for group in self.groups.values()),
            "groups": [
                {"would": would, "does": does, "orders": it.orders, "sample": it.sample}
                for (would, does), it in self.groups.items()
            ],
            "done": self.done,
            "refused": dict(self.refused),
            "left": len(self.chosen) - self.done - self.refused.total(),
        }


def in_bulk(
    target: Target,
    doing: Doing,
    where: Mapping[str, str],
    *,
    yes: bool,
    rate: float,
    as_json: bool,
) -> None:
    """Say what it would do to the orders that match; with `yes` do it, at that rate."""
    bulk = _Bulk(doing)
    filters = {"merchant": target.merchant or None, **where}
    try:
        run(_look(target, bulk, filters))
        if yes and bulk.chosen:
            if not as_json:
                _show_groups(bulk)
            run(_do(target, bulk, rate))
    except KeyboardInterrupt:
        if bulk.begun:
            emit(bulk.as_json(), as_json=as_json, show=lambda _: _show_done(bulk))
            note("Stopped. The same command goes on with the rest.")
        raise
    emit(bulk.as_json(), as_json=as_json, show=lambda _: _show(bulk))
    if bulk.refused:
        raise TroubleError(
            f"{counted(bulk.refused.total(), 'order')} had moved on meanwhile: "
            + ", ".join(f"{count:,} {code}" for code, count in bulk.refused.items())
        )


async def _look(target: Target, bulk: _Bulk, filters: Mapping[str, str | None]) -> None:
    action = bulk.doing.action
    async with target.client() as client:
        path, name = "/v1/orders/preview", "orders"
        found = pages(client, path, name, None, size=PREVIEW_PAGE, action=action, **filters)
        async for page in found:
            for order in page:
                group = bulk.groups.setdefault((order["would"], order["does"]), _Group())
                group.orders += 1
                if len(group.sample) < SAMPLE:
                    group.sample.append(order["id"])
                if order["would"] == ACCEPTED:
                    bulk.chosen.append(order["id"])


async def _do(target: Target, bulk: _Bulk, rate: float) -> None:
    """Do it to those for which that was said, one after the other; what is done stays done."""
    bulk.begun = True
    with counting(len(bulk.chosen), bulk.doing.done) as tell:
        async with target.client(moves=True) as client:
            due = time.monotonic()
            for order_id in bulk.chosen:
                await asyncio.sleep(due - time.monotonic())
                due = max(due, time.monotonic() - 1 / rate) + 1 / rate
                await _do_one(client, bulk, order_id)
                tell(bulk.done + bulk.refused.total())


async def _do_one(client: Client, bulk: _Bulk, order_id: str) -> None:
    for _ in range(BUSY_TRIES):
        if await whole(_is_answered(client, bulk, order_id)):
            return
        await asyncio.sleep(BUSY_SECONDS)
    raise TroubleError(f"The server has too much to do: {bulk.done:,} orders are done.")


async def _is_answered(client: Client, bulk: _Bulk, order_id: str) -> bool:
    """Whether the server did it or refused it, which is counted; else it has too much to do."""
    from conveyor.entrypoints.client import ApiError

    try:
        await client.post(bulk.doing.path(order_id), bulk.doing.body)
    except ApiError as error:
        if error.status in TOO_MUCH:
            return False
        if error.status not in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
            raise
        bulk.refused[str(error.problem.get("code"))] += 1
    else:
        bulk.done += 1
    return True


async def whole(asking: Coroutine[Any, Any, T]) -> T:
    """Wait for an answer even when Ctrl-C comes: what was done is counted as done."""
    task = asyncio.ensure_future(asking)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _show(bulk: _Bulk) -> None:
    if bulk.begun:
        _show_done(bulk)
    elif not bulk.groups:
        say("No order matches.")
    else:
        _show_groups(bulk)
        if bulk.chosen:
            say(f"Nothing was done: --yes does it to {counted(len(bulk.chosen), 'order')}.")
        else:
            say(f"There is nothing to {bulk.doing.action}.")


def _show_groups(bulk: _Bulk) -> None:
    rows = [
        (
            f"{group.orders:,}",
            bulk.doing.says(would),
            does,
            " ".join(group.sample) + (" ..." if group.orders > len(group.sample) else ""),
        )
        for (would, does), group in bulk.groups.items()
    ]
    table(("orders", "would be", "which", "such as"), rows, right=("orders",), spare="such as")


def _show_done(bulk: _Bulk) -> None:
    say(f"{bulk.done:,} of {counted(len(bulk.chosen), 'order')} {bulk.doing.done}.")
