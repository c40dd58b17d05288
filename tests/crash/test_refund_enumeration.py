"""A refund of a completed order gives the money back once, wherever a process dies over it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.crash.enumeration import both_ways_at_points, crash_at, durable_points, record, sampled
from tests.crash.scenarios import Scenario

from conveyor.commerce.orders.store import find
from conveyor.core.order import Order
from conveyor.operations.refunds import refund
from conveyor.system.composition import App
from conveyor.testing.virtual import until_idle

REFUNDED = frozenset({"refunded"})
PATIENCE = 10_000


@dataclass(frozen=True)
class Refunding(Scenario):
    """It is completed, and then somebody asks for its money, as often as it takes."""

    endings: frozenset[str] = REFUNDED
    settings: dict[str, Any] = field(default_factory=lambda: {"delivery_delay_seconds": 0})

    async def _settled(self, app: App, order_id: str) -> Order:
        for _ in range(PATIENCE):
            order = await app.parts.database.read(lambda tx: find(tx, order_id, None))
            assert order is not None
            if order.status == "refunded":
                await until_idle(app)
                return order
            if order.status == "completed":
                await refund(app.engine, order_id, None, "arrived broken")
            await asyncio.sleep(1)
        raise AssertionError(f"order {order_id} was never refunded")


SCENARIOS = (
    Refunding("refunded", REFUNDED),
    Refunding("refunded_by_whom_answers_late", REFUNDED, method="card_slow"),
)


@both_ways_at_points
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_money_goes_back_once(scenario: Refunding, rides: bool, every: int) -> None:
    points = durable_points(record(scenario, rides=rides))
    for point in points[:: sampled(scenario, SCENARIOS, every)]:
        crash_at(scenario, point, rides=rides)
