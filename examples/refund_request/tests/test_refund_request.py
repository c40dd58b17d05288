"""The refund request, proven: at every point at which a process can die, and in a storm."""

from typing import Any

from conveyor.commerce.orders.placement import Placed
from conveyor.core.answers import StepAnswer
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.system.composition import App
from conveyor.testing import Life, prove, purge, storm, until
from refund_request import store
from refund_request.flow import EXTENSION

CD: dict[str, Any] = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1}],
    "total": 1177,
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US"},
}


async def stock_up(app: App) -> None:
    await app.parts.database.run(lambda tx: set_stock(tx, "default", "CD", 100))


async def refund(app: App) -> dict[str, Any]:
    """Buy something, and ask for the money back; after a death again, by the same key."""
    bought = await app.placement.place("default", "a CD", app.installed.bodies.read(CD))
    assert isinstance(bought, Placed)
    await until(app, bought.order_id, "completed")
    asked = {"flow": "refund", "order": bought.order_id, "why": "scratched"}
    return CD | asked | {"payment": {"method": "store_credit"}}


async def approve(app: App, order_id: str) -> None:
    await decide(app, order_id, approved=True)


async def turn_down(app: App, order_id: str) -> None:
    await decide(app, order_id, approved=False)


async def decide(app: App, order_id: str, *, approved: bool) -> None:
    if await until(app, order_id, "awaiting") == "awaiting":
        said = {"approved": approved, "by": "sam"}
        await app.answers.take(StepAnswer(order_id, "refunds.decide", said))


async def credited(app: App, order_id: str) -> None:
    found = await app.parts.database.read(lambda tx: store.credits_of(tx, order_id))
    assert found == [1177], f"the customer was given {found}"


async def not_credited(app: App, order_id: str) -> None:
    found = await app.parts.database.read(lambda tx: store.credits_of(tx, order_id))
    assert found == [], f"the customer was given {found}"


LIVES = {
    "approved": Life(refund, "completed", stock_up, approve, credited),
    "turned down": Life(refund, "refused", stock_up, turn_down, not_credited),
    "nobody decides": Life(refund, "refused", stock_up, None, not_credited),
}


def test_it_holds_wherever_a_process_dies() -> None:
    prove(EXTENSION, LIVES, every=10)  # a quick look; leave it out, and each point is taken


def test_it_holds_with_every_message_ten_times() -> None:
    storm(EXTENSION, LIVES)


def test_it_holds_with_all_messages_lost() -> None:
    purge(EXTENSION, LIVES)
