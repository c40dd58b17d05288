"""What an order of a gift card goes through when nothing goes wrong, for the simulator."""

from __future__ import annotations

from typing import Any

from conveyor.system.composition import App
from conveyor.testing import Life
from gift_cards import store

CARD: dict[str, Any] = {
    "flow": "gift",
    "recipient": "robin",
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "card", "quantity": 1, "unit_price": 2_500}],
    "payment": {"method": "card_ok"},
}


async def good(app: App, order_id: str) -> None:
    """Whoever has paid has a good card."""
    card = await app.parts.database.read(lambda tx: store.find(tx, order_id))
    assert card is not None, "there is no card"
    assert card.state == store.GOOD, f"the card is {card.state}"


async def not_good(app: App, order_id: str) -> None:
    """Whoever has not paid has none that is good."""
    card = await app.parts.database.read(lambda tx: store.find(tx, order_id))
    assert card is None or card.state != store.GOOD, "nobody has paid for the card"


LIVES = {
    "given": Life(CARD, "completed", check=good),
    "declined": Life(CARD | {"payment": {"method": "card_declined"}}, "refused", check=not_good),
}
