"""The demonstration's shop: a thousand real orders, some of which go wrong in every way we know.

The orders are real (see `cdnow`); what the file does not say is set here, by their number: which
of three SKUs the CDs are, how they are paid, and how much stock there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any, ClassVar

from conveyor.checks.stories import paid
from conveyor.core.order_status import OrderStatus
from conveyor.core.tables import orders
from conveyor.extension import Demo, Story
from conveyor.flows.shop.cdnow import Purchase, order_body, packaged_purchases
from conveyor.flows.shop.inventory.store import import_stock
from conveyor.system.composition import App

# A CD's SKU by its price in cents, and the units that there are of it: imports run out.
CHEAP_BELOW, REGULAR_BELOW = 1_200, 1_450
STOCK = {"CD-BARGAIN": 1_000, "CD-REGULAR": 2_000, "CD-IMPORT": 700}

# Every so many orders, beginning with the given one, are paid in another way.
CARDS = (
    ("card_down", 450, 404),
    ("card_declined", 25, 10),
    ("card_insufficient_funds", 40, 7),
    ("card_flaky", 33, 5),
    ("card_unanswered", 50, 11),
)


async def fill_shelves(app: App, merchant: str) -> None:
    """Set the stock."""
    await app.parts.database.run(lambda tx: import_stock(tx, merchant, STOCK.items()))


def purchases() -> Iterator[dict[str, Any]]:
    """Give the orders."""
    for purchase in packaged_purchases():
        yield order_body(purchase, sku=sku_of(purchase), method=card_of(purchase))


def sku_of(purchase: Purchase) -> str:
    """Tell the SKU by what one CD of the purchase cost."""
    price = purchase.total / purchase.quantity
    if price < CHEAP_BELOW:
        return "CD-BARGAIN"
    return "CD-REGULAR" if price < REGULAR_BELOW else "CD-IMPORT"


def card_of(purchase: Purchase) -> str:
    """Tell the payment method by the purchase's number."""
    for method, every, first in CARDS:
        if purchase.number % every == first % every and purchase.number >= first:
            return method
    return "card_ok"


_SOLD_OUT = orders.c.reason.startswith("sold out")


class ShopDemo(Demo):
    """What the flow shows of itself."""

    shows: ClassVar[str] = (
        "A thousand real orders are paid, reserved, captured, shipped and completed. "
        "Cards are declined, fail at first, never answer or are down; stock runs out."
    )
    settings: ClassVar[Mapping[str, Any]] = {"delivery_delay_seconds": 1.5}
    stories: ClassVar[Sequence[Story]] = (
        (paid(OrderStatus.COMPLETED, "card_flaky"), "its card failed twice, then worked"),
        (paid(OrderStatus.COMPLETED, "card_unanswered"), "it was charged, and no answer came"),
        (_SOLD_OUT, "sold out: what was authorized is let go"),
        (paid(OrderStatus.PARKED, "card_down"), "parked: its bank is down"),
    )

    def orders(self) -> Iterator[dict[str, Any]]:
        """Give the orders, the same each time."""
        return purchases()

    def trickle(self) -> Iterator[dict[str, Any]]:
        """Give the same again and again, all paid by a card that works."""
        return (body | {"payment": {"method": "card_ok"}} for body in cycle(purchases()))

    async def set_up(self, app: App, merchant: str) -> None:
        """Make what can be ordered; harmless where it is there."""
        await fill_shelves(app, merchant)
