"""Journeys for tests: resources, orders, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Any

from conveyor.commerce.orders.order_filter import EVERYTHING
from conveyor.commerce.orders.placement import Placed
from conveyor.commerce.orders.search import search
from conveyor.commerce.orders.store import find
from conveyor.core.order import Order
from conveyor.core.order_status import SETTLED
from conveyor.core.outcome import Outcome
from conveyor.core.step import Now
from conveyor.core.transaction import Tx
from conveyor.flows.travel.body import TravelBody
from conveyor.flows.travel.bookings import store
from conveyor.flows.travel.bookings.granting import offer
from conveyor.flows.travel.bookings.model import Booking, Offer, Resource
from conveyor.flows.travel.bookings.steps import Hold
from conveyor.flows.travel.extension import booking_terms
from conveyor.operations import decisions
from conveyor.system.composition import App

MERCHANT = "default"
DATE = "2013-01-01"
FLIGHT = f"flight/UA1545/{DATE}"
HOTEL = f"hotel/Astoria/{DATE}"
PATIENCE_SECONDS = 48 * 3600


def flight(name: str = "UA1545", quantity: int = 1, **changes: Any) -> dict[str, Any]:
    return {"flight": name, "date": DATE, "quantity": quantity, **changes}


def hotel(name: str = "Astoria", quantity: int = 1, **changes: Any) -> dict[str, Any]:
    return {"hotel": name, "date": DATE, "quantity": quantity, **changes}


def journey(*legs: dict[str, Any], method: str = "card_ok", **changes: Any) -> dict[str, Any]:
    return {
        "flow": "travel",
        "customer": {"id": "U1"},
        "currency": "USD",
        "legs": list(legs) or [flight()],
        "total": 14_900,
        "payment": {"method": method},
        **changes,
    }


async def set_up(app: App, **offers: int | tuple[int, int]) -> None:
    """Offer these flights and hotels: `UA1545=2`, or with a percentage `UA1545=(100, 5)`."""
    rows = []
    for name, offered in offers.items():
        capacity, overbooking = offered if isinstance(offered, tuple) else (offered, 0)
        kind = "flight" if name[-1].isdigit() else "hotel"
        rows.append(Offer(f"{kind}/{name}/{DATE}", capacity, overbooking))
    assert not await offering(app, rows)


async def offering(app: App, offers: Sequence[Offer]) -> list[Offer]:
    now, terms = app.engine.now(), booking_terms(app.settings)
    return await app.parts.database.run(lambda tx: offer(tx, MERCHANT, offers, terms, now.ms))


async def place(app: App, body: dict[str, Any], key: str = "") -> str:
    placed = await app.placement.place(MERCHANT, key, TravelBody.model_validate(body))
    assert isinstance(placed, Placed)
    return placed.order_id


async def cancel(app: App, order_id: str) -> object:
    return await decisions.cancel(app.engine, order_id, MERCHANT, "changed my mind")


async def order_of(app: App, order_id: str) -> Order:
    order = await app.parts.database.read(lambda tx: find(tx, order_id, None))
    assert order is not None
    return order


async def until_status(app: App, order_id: str, *statuses: str) -> Order:
    for _ in range(PATIENCE_SECONDS):
        order = await order_of(app, order_id)
        if order.status in statuses:
            return order
        await asyncio.sleep(1)
    raise AssertionError(await order_of(app, order_id))


async def settled(app: App, order_ids: Iterable[str]) -> list[Order]:
    return [await until_status(app, order_id, *SETTLED) for order_id in order_ids]


async def statuses(app: App, order_ids: Iterable[str]) -> list[str]:
    return [order.status for order in await settled(app, order_ids)]


async def all_orders(app: App) -> list[Order]:
    return await app.parts.database.read(
        lambda tx: search(tx, EVERYTHING, sees=None, limit=100_000)
    )


async def resource(app: App, name: str = FLIGHT) -> Resource:
    found = await app.parts.database.read(lambda tx: store.find(tx, MERCHANT, name))
    assert found is not None
    return found


async def bookings(app: App, order_id: str) -> list[Booking]:
    found = await app.parts.database.read(lambda tx: dict(store.bookings_of(tx, order_id)))
    return [booking for _, booking in sorted(found.items())]


async def states(app: App, order_id: str) -> list[str]:
    return [booking.state for booking in await bookings(app, order_id)]


STUCK = "stuck"


class StuckError(Exception):
    """What a hold raises for an order with this reference, until it is repaired."""


def make_stuck(app: App) -> Callable[[], None]:
    """Let orders with the reference `STUCK` fail when they are held; gives what repairs that."""
    steps = app.engine.registry.steps
    hold = steps["bookings.hold"]
    assert isinstance(hold, Hold)
    broken = copy(hold)

    def take(tx: Tx, order: Order, now: Now) -> Outcome:
        if order.reference == STUCK:
            raise StuckError
        return hold.take(tx, order, now)

    broken.run = take
    steps["bookings.hold"] = broken
    return lambda: steps.update({"bookings.hold": hold})
