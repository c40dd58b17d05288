"""What `conveyor demo` shows of gift cards, beside the flows that are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from conveyor import extension as ext
from conveyor.core.tables import orders

CARDS = 24
DECLINED = (5, 17)


class GiftDemo(ext.Demo):
    """Two dozen cards, of which two are not paid for."""

    shows: ClassVar[str] = "Cards are given away; some are not paid for."
    stories: ClassVar[Sequence[ext.Story]] = (
        (orders.c.status == ext.OrderStatus.REFUSED, "not paid for, so its card was taken back"),
    )

    def orders(self) -> Iterator[dict[str, Any]]:
        """Give the orders, the same each time."""
        for number in range(CARDS):
            yield {
                "flow": "gift",
                "reference": f"gift-{number}",
                "recipient": f"friend-{number}",
                "customer": {"id": f"giver-{number}"},
                "currency": "EUR",
                "items": [{"sku": "card", "quantity": 1, "unit_price": 2_500}],
                "payment": {"method": "card_declined" if number in DECLINED else "card_ok"},
            }
