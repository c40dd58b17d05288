"""An operator who presses "retry now" all the time doubles nothing, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from tests.crash.enumeration import both_ways_at_points, crash_at, durable_points, record
from tests.crash.scenarios import COMPLETED, Scenario

from conveyor.commerce.orders.store import find
from conveyor.core.interventions import Decision
from conveyor.core.order import Order
from conveyor.core.order_status import SETTLED
from conveyor.operations import decisions
from conveyor.system.composition import App
from conveyor.testing.virtual import until_idle

PRESSES = 2_000
PRESS_SECONDS = 0.3
SAMPLE = 2

retried: list[str] = []
"""The orders for which that was taken."""


@dataclass(frozen=True)
class Impatient(Scenario):
    """Somebody looks on, and presses whenever there is something to press."""

    async def _settled(self, app: App, order_id: str) -> Order:
        for _ in range(PRESSES):
            order = await app.parts.database.read(lambda tx: find(tx, order_id, None))
            assert order is not None
            if order.status in SETTLED:
                await until_idle(app)
                return order
            made = await decisions.retry(app.engine, order_id, None)
            if made is not None and made.what == Decision.ACCEPTED:
                retried.append(order_id)
            await asyncio.sleep(PRESS_SECONDS)
        raise AssertionError(f"order {order_id} never settled")


SLOW = {"payment_latency_seconds": 1.0}
IMPATIENT = (
    Impatient("flaky", COMPLETED, method="card_flaky"),
    Impatient("unanswered", COMPLETED, method="card_unanswered", settings=SLOW),
)


@both_ways_at_points
@pytest.mark.parametrize("scenario", IMPATIENT, ids=lambda scenario: scenario.name)
def test_nothing_is_doubled(scenario: Impatient, rides: bool, every: int) -> None:
    retried.clear()
    points = durable_points(record(scenario, rides=rides))
    assert len(retried) > 1
    for point in points[:: SAMPLE * every]:
        crash_at(scenario, point, rides=rides)
