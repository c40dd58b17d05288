"""Restaurants, riders and food orders on virtual time: what tests do and look at."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from conveyor.commerce.orders.placement import Placed
from conveyor.commerce.orders.store import find
from conveyor.core.order import Order
from conveyor.core.order_status import SETTLED
from conveyor.flows.food.body import FoodBody
from conveyor.flows.food.restaurants import store as restaurants
from conveyor.flows.food.restaurants.counter import Counter
from conveyor.flows.food.restaurants.model import Restaurant
from conveyor.flows.food.riders import store as riders
from conveyor.flows.food.riders.dispatch import Dispatch
from conveyor.flows.food.riders.model import METRES_A_DEGREE, Offer, Rider
from conveyor.operations.audit import run_audit
from conveyor.operations.decisions import Cancelled, NotCancelled, cancel
from conveyor.system.composition import App

MERCHANT = "default"
TOTAL = 2_500
FEE = 1_250
LONG = 10**15
PATIENCE_SECONDS = 4 * 3600
KITCHEN = Restaurant(MERCHANT, "luigi", 52.0, 13.0, simulated="prompt")
RIDER = Rider(MERCHANT, "r", 52.0, 13.0, LONG, capacity=1, load=0, heard_at=0, simulated="prompt")


def at_metres(name: str, metres: float, **changed: Any) -> Rider:
    """Give a rider so many metres north of the restaurant."""
    latitude = KITCHEN.latitude + metres / METRES_A_DEGREE
    return replace(RIDER, id=name, latitude=latitude, **changed)


async def open_town(app: App, *fleet: Rider, **kitchen: Any) -> None:
    """Make the restaurant and these riders; what is there stays as it is."""

    def make(tx: Any) -> None:
        if restaurants.find(tx, MERCHANT, KITCHEN.id) is None:
            restaurants.put(tx, replace(KITCHEN, **kitchen))
        for rider in fleet:
            if riders.find(tx, MERCHANT, rider.id) is None:
                assert riders.put(tx, rider)

    await app.engine.database.run(make)


def body_of(**changes: Any) -> FoodBody:
    """Give a meal as it is ordered."""
    return FoodBody.model_validate(
        {
            "flow": "food",
            "customer": {"id": "00001"},
            "currency": "EUR",
            "items": [{"sku": "PIZZA", "quantity": 2, "unit_price": TOTAL // 2}],
            "payment": {"method": "card_ok"},
            "restaurant": KITCHEN.id,
            "drop_off": {"latitude": 52.01, "longitude": 13},
            **changes,
        }
    )


async def order_meal(app: App, key: str = "the-key", **changes: Any) -> str:
    """Place an order; gives its id."""
    placed = await app.placement.place(MERCHANT, key, body_of(**changes))
    assert isinstance(placed, Placed)
    return placed.order_id


async def look(app: App, order_id: str) -> Order:
    """Give the order as it is now."""
    order = await app.engine.database.read(lambda tx: find(tx, order_id, None))
    assert order is not None
    return order


async def until(app: App, order_id: str, *statuses: str, step: str = "") -> Order:
    """Wait until the order has one of these statuses, at this step."""
    for _ in range(PATIENCE_SECONDS * 4):
        order = await look(app, order_id)
        flow = app.engine.registry.flow(order.flow)
        here = not step or (
            order.position in range(len(flow.steps)) and flow.steps[order.position].name == step
        )
        if order.status in statuses and here:
            return order
        await asyncio.sleep(0.25)
    raise AssertionError(f"{order_id} never came to be {statuses} at {step or 'any step'}")


async def settled(app: App, order_id: str, seconds: float = 60) -> Order:
    """Wait until the order is settled, and whatever is still under way has come in."""
    await until(app, order_id, *SETTLED)
    await asyncio.sleep(seconds)
    return await look(app, order_id)


async def call_off(app: App, order_id: str) -> Cancelled | NotCancelled | None:
    """Cancel as a customer does."""
    return await cancel(app.engine, order_id, MERCHANT, "not hungry any more")


async def offers(app: App, order_id: str) -> list[tuple[str, str]]:
    """Give whom the order was offered to, and what became of that."""
    found = await app.engine.database.read(lambda tx: riders.offers_of(tx, order_id))
    return [(offer.rider, offer.state) for offer in found]


async def standing(app: App, order_id: str) -> Offer | None:
    return await app.engine.database.read(lambda tx: riders.standing(tx, order_id))


async def load_of(app: App, name: str) -> int:
    found = await app.engine.database.read(lambda tx: riders.find(tx, MERCHANT, name))
    assert found is not None
    return found.load


async def ticket_state(app: App, order_id: str) -> str:
    found = await app.engine.database.read(lambda tx: restaurants.ticket_of(tx, order_id))
    return found.state if found else ""


def counter(app: App) -> Counter:
    return Counter(app.engine, app.answers)


def dispatch(app: App) -> Dispatch:
    return Dispatch(app.engine, app.answers)


async def assert_clean(app: App) -> None:
    """Ask the audit."""
    report = await run_audit(app)
    broken = {f.name: f.examples for f in report.findings if f.violations}
    assert not broken


def operations(directory: Path, order_id: str) -> list[tuple[str, int]]:
    """Give what the payment provider did, and for how much."""
    query = "SELECT operation, amount FROM provider_operations WHERE order_id = ? AND approved"
    with closing(sqlite3.connect(directory / "provider.db")) as db:
        return list(db.execute(query, (order_id,)))


def story(directory: Path, order_id: str, events: Collection[str]) -> list[tuple[str, str]]:
    """Give the entries of the timeline of these kinds."""
    query = "SELECT event, step FROM timeline WHERE order_id = ? ORDER BY id"
    with closing(sqlite3.connect(directory / "conveyor.db")) as db:
        return [row for row in db.execute(query, (order_id,)) if row[0] in events]
