"""What a refund request goes through when nothing goes wrong: for the proof and the simulator."""

from __future__ import annotations

from typing import Any

from conveyor.commerce.orders.placement import Placed
from conveyor.core.answers import StepAnswer
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.system.composition import App
from conveyor.testing import Life, until
from refund_request import store

CD: dict[str, Any] = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1}],
    "total": 1177,
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US"},
}


async def stock_up(app: App) -> None:
    """Let there be something to buy."""
    await app.parts.database.run(lambda tx: set_stock(tx, "default", "CD", 100))


async def refund(app: App, key: str) -> dict[str, Any]:
    """Buy something, and ask for the money back; after a death again, by the same key."""
    bought = await app.placement.place("default", f"{key}, a CD", app.installed.bodies.read(CD))
    assert isinstance(bought, Placed)
    await until(app, bought.order_id, "completed")
    asked = {"flow": "refund", "order": bought.order_id, "why": "scratched"}
    return CD | asked | {"payment": {"method": "store_credit"}}


async def approve(app: App, order_id: str) -> None:
    """Say yes."""
    await decide(app, order_id, approved=True)


async def turn_down(app: App, order_id: str) -> None:
    """Say no."""
    await decide(app, order_id, approved=False)


async def decide(app: App, order_id: str, *, approved: bool) -> None:
    """Answer once it is asked for."""
    if await until(app, order_id, "awaiting") == "awaiting":
        said = {"approved": approved, "by": "sam"}
        await app.answers.take(StepAnswer(order_id, "refunds.decide", said))


async def credited(app: App, order_id: str) -> None:
    """Whoever's request is completed has the credit, once."""
    found = await app.parts.database.read(lambda tx: store.credits_of(tx, order_id))
    assert found == [1177], f"the customer was given {found}"


async def not_credited(app: App, order_id: str) -> None:
    """Whoever's request is refused has none."""
    found = await app.parts.database.read(lambda tx: store.credits_of(tx, order_id))
    assert found == [], f"the customer was given {found}"


LIVES = {
    "approved": Life(refund, "completed", stock_up, approve, credited),
    "turned down": Life(refund, "refused", stock_up, turn_down, not_credited),
    "nobody decides": Life(refund, "refused", stock_up, None, not_credited),
}
