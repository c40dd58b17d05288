"""Placing orders of any flow in a system on virtual time, and reading what became of them."""

from __future__ import annotations

from typing import Any

from conveyor.commerce.orders.placement import Placed
from conveyor.commerce.orders.store import find
from conveyor.core import timeline
from conveyor.core.order import Order
from conveyor.core.timeline_event import TimelineEvent
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.system.composition import App

MERCHANT = "default"
ORDER = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1}],
    "total": 1177,
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US"},
}


async def place(app: App, body: dict[str, Any]) -> str:
    """Place an order, of which there is enough in stock; gives its id."""
    await app.parts.database.run(lambda tx: set_stock(tx, MERCHANT, "CD", 1_000))
    placed = await app.placement.place(MERCHANT, "", app.installed.bodies.read(body))
    assert isinstance(placed, Placed)
    return placed.order_id


async def order_of(app: App, order_id: str) -> Order:
    """Read an order."""
    order = await app.parts.database.read(lambda tx: find(tx, order_id, MERCHANT))
    assert order is not None
    return order


async def status_of(app: App, order_id: str) -> str:
    """Read where it is."""
    return (await order_of(app, order_id)).status


async def steps_done(app: App, order_id: str) -> list[str]:
    """Read which steps and compensations were done, in order."""
    entries = await app.parts.database.read(lambda tx: timeline.of_order(tx, order_id))
    return [entry.step for entry in entries if entry.event == TimelineEvent.DONE]
