"""A meal's lives: rejected, passed from rider to rider, cancelled before and after it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.scenarios import COMPLETED, EITHER, REFUSED
from tests.flows.meals import (
    at_metres,
    call_off,
    look,
    open_town,
    order_meal,
    settled,
)

from conveyor.core.order import Order
from conveyor.core.order_status import SETTLED, OrderStatus
from conveyor.flows.food.riders.model import Rider
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_settled
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import until_idle

IMPATIENT = {
    "restaurant_deadline_seconds": 10.0,
    "offer_deadline_seconds": 10.0,
    "rider_silence_seconds": 10.0,
}
PROMPT = (at_metres("r", 100),)


@dataclass(frozen=True)
class FoodScenario:
    """A town, a card, and the step at which the customer thinks better of it; '' for never."""

    name: str
    endings: frozenset[str]
    fleet: tuple[Rider, ...] = PROMPT
    kitchen: str = "prompt"
    method: str = "card_ok"
    cancel_at: str = ""
    settings: dict[str, Any] = field(default_factory=lambda: IMPATIENT)
    flow: str = "food"

    def life(self, *, cancel_at_once: bool = False) -> Callable[[App], Coroutine[Any, Any, Order]]:
        """See `Lived`."""

        async def live(app: App) -> Order:
            await open_town(app, *self.fleet, simulated=self.kitchen)
            meal = await order_meal(app, payment={"method": self.method})
            if self.cancel_at and not cancel_at_once:
                await self._until_there(app, meal)
            if self.cancel_at or cancel_at_once:
                await call_off(app, meal)
            order = await settled(app, meal, seconds=0)
            await until_idle(app)
            return order

        return live

    def check(self, directory: Path) -> None:
        """See `Lived`."""
        check_tokens(directory)
        check_settled(directory)

    async def _until_there(self, app: App, meal: str) -> None:
        async with asyncio.timeout(600):
            while True:
                order = await look(app, meal)
                flow = app.engine.registry.flow(order.flow)
                if order.status in SETTLED or order.backwards:
                    return
                if (
                    order.status == OrderStatus.AWAITING
                    and flow.steps[order.position].name == self.cancel_at
                ):
                    return
                await asyncio.sleep(0.25)


SHY = (at_metres("near", 100, simulated="refusing"), at_metres("far", 3_000))
GONE = (at_metres("gone", 100, simulated="vanishing"), at_metres("r", 500))
SILENT = (at_metres("r", 100, simulated="silent"),)

MEALS = (
    FoodScenario("happy", COMPLETED),
    FoodScenario("rejected", REFUSED, kitchen="refusing"),
    FoodScenario("passed_on", COMPLETED, fleet=SHY),
    FoodScenario("rider_lost", COMPLETED, fleet=GONE),
    FoodScenario("nobody_left", REFUSED, fleet=SILENT),
    FoodScenario("unanswered_capture", COMPLETED, method="card_unanswered"),
    FoodScenario(
        "cancelled_free",
        EITHER | REFUSED,
        kitchen="silent",
        cancel_at="restaurants.confirm",
    ),
    FoodScenario("cancelled_for_a_fee", EITHER | REFUSED, fleet=SILENT, cancel_at="riders.assign"),
    FoodScenario(
        "fee_unanswered",
        EITHER | REFUSED,
        fleet=SILENT,
        method="card_unanswered",
        cancel_at="riders.assign",
    ),
)
