"""The demonstration's meals: a town whose restaurants and riders behave in every way there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from conveyor.checks.stories import completed_among
from conveyor.core.transaction import Tx
from conveyor.extension import Demo, Story
from conveyor.flows.food.restaurants import store as restaurants
from conveyor.flows.food.restaurants.model import Restaurant
from conveyor.flows.food.riders import store as riders
from conveyor.flows.food.riders.model import OfferState, Rider
from conveyor.flows.food.riders.store import offers
from conveyor.system.composition import App

MEALS = 60
IMPATIENCE: dict[str, Any] = {
    "restaurant_deadline_seconds": 4.0,
    "offer_deadline_seconds": 2.0,
    "rider_silence_seconds": 3.0,
    "food_pace_seconds": 0.3,
}
"""Settings under which nobody waits for minutes."""

FAR_AHEAD_MS = 4_102_444_800_000  # 2100-01-01
CENTRE = (52.52, 13.405)
BLOCK = 0.003  # degrees
# By name: how each behaves, and what it cooks, with the price in cents.
KITCHENS = {
    "trattoria": ("prompt", "margherita", 950),
    "noodles": ("prompt", "ramen", 1_350),
    "smokehouse": ("slow", "brisket", 1_890),
    "bistro": ("refusing", "steak frites", 2_190),
    "midnight": ("silent", "dumplings", 890),
}
# Every so many meals, beginning with the given one, go to another kitchen than the first two.
ELSEWHERE = (("bistro", 12, 5), ("midnight", 20, 9), ("smokehouse", 6, 2))
FLEET = ("prompt", "refusing", *["prompt"] * 4, "silent", *["prompt"] * 4, "vanishing")
CAPACITY = 4
DECLINED_EVERY = 15


async def open_town(app: App, merchant: str) -> None:
    """Make its restaurants and riders; harmless when they are there."""
    await app.parts.database.run(lambda tx: _make(tx, merchant, app.parts.ambient.now_ms()))


def meals() -> Iterator[dict[str, Any]]:
    """Give the orders."""
    return map(_meal, range(1, MEALS + 1))


def _make(tx: Tx, merchant: str, now_ms: int) -> None:
    for at, (name, (behaviour, _, _)) in enumerate(KITCHENS.items()):
        place = (CENTRE[0] + at * BLOCK, CENTRE[1] - at * BLOCK)
        kitchen = Restaurant(merchant, name, *place, max_preparing=MEALS, simulated=behaviour)
        restaurants.put(tx, kitchen)
    for at, behaviour in enumerate(FLEET):
        place = (CENTRE[0] - at * BLOCK / 2, CENTRE[1] + at * BLOCK / 3)
        rider = Rider(
            merchant,
            f"rider-{at:02}",
            *place,
            shift_until=FAR_AHEAD_MS,
            capacity=CAPACITY,
            load=0,
            heard_at=now_ms,
            simulated=behaviour,
        )
        riders.put(tx, rider)


def _meal(number: int) -> dict[str, Any]:
    usual = ("trattoria", "noodles")[number % 2]
    kitchen = next((k for k, every, first in ELSEWHERE if number % every == first), usual)
    _, dish, price = KITCHENS[kitchen]
    return {
        "flow": "food",
        "reference": f"meal-{number}",
        "customer": {"id": f"guest-{number % 20:02}"},
        "currency": "EUR",
        "items": [{"sku": dish, "quantity": 1 + number % 3, "unit_price": price}],
        "payment": {"method": "card_ok" if number % DECLINED_EVERY else "card_declined"},
        "restaurant": kitchen,
        "drop_off": {"latitude": CENTRE[0] + BLOCK, "longitude": CENTRE[1] + number * BLOCK / 10},
    }


class FoodDemo(Demo):
    """What the flow shows of itself."""

    shows: ClassVar[str] = "Meals are cooked and carried; cooks and riders say no, or nothing."
    settings: ClassVar[Mapping[str, Any]] = IMPATIENCE
    stories: ClassVar[Sequence[Story]] = (
        (
            completed_among(offers.c.order_id, offers.c.state == OfferState.DECLINED),
            "another rider took it",
        ),
    )

    def orders(self) -> Iterator[dict[str, Any]]:
        """Give the orders, the same each time."""
        return meals()

    async def set_up(self, app: App, merchant: str) -> None:
        """Make what can be ordered; harmless where it is there."""
        await open_town(app, merchant)
