"""One order with a bug fails alone, wherever its step raises: its neighbours notice nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.examples.stories import MERCHANT, place, status_of

from conveyor.commerce.orders.placement import Placed
from conveyor.core import timeline
from conveyor.core.order import Order
from conveyor.core.step import StepHandler
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

BAD = "bad"
GOOD = 20
ORDER = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1}],
    "total": 1_177,
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US"},
}


class GatherError(Exception):
    """What gathering raises for an order with the reference `BAD`."""


def break_gather(app: App, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Let a step's gathering raise for groups that a bad order is in."""
    broken: StepHandler = app.engine.registry.step(step)
    gather = broken.gathering

    def gathering(tx: Tx, orders: Sequence[Order]) -> None:
        if any(order.reference == BAD for order in orders):
            raise GatherError
        gather(tx, orders)

    monkeypatch.setattr(type(broken), "gathering", property(lambda _self: gathering))


async def place_together(app: App) -> tuple[list[str], str]:
    """Place good orders and a bad one at once, so that they share their groups."""
    await place(app, ORDER)
    bodies = [app.installed.bodies.read(ORDER) for _ in range(GOOD)]
    bodies.insert(GOOD // 2, app.installed.bodies.read(ORDER | {"reference": BAD}))
    answers = await asyncio.gather(*(app.placement.place(MERCHANT, "", one) for one in bodies))
    ids = [answer.order_id for answer in answers if isinstance(answer, Placed)]
    return ids, ids.pop(GOOD // 2)


async def events_of(app: App, order_id: str) -> Counter[str]:
    entries = await app.parts.database.read(lambda tx: timeline.of_order(tx, order_id))
    return Counter(entry.event for entry in entries)


@pytest.mark.parametrize("step", ["payments.authorize", "payments.capture", "orders.complete"])
def test_an_order_whose_gathering_raises_is_parked_and_fails_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    async def life(app: App) -> None:
        break_gather(app, monkeypatch, step)
        good, bad = await place_together(app)
        await asyncio.sleep(60)
        assert {await status_of(app, order_id) for order_id in good} == {"completed"}
        for order_id in good:
            assert not {TimelineEvent.FAULT, TimelineEvent.RESENT} & set(
                await events_of(app, order_id)
            )
        async with asyncio.timeout(7_200):
            while await status_of(app, bad) != "parked":  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(60)
        assert (await events_of(app, bad))[TimelineEvent.FAULT] == app.settings.max_receives

    Machine(tmp_path).run(life)
