"""The body of a renewal: an order that says which period of which subscription it pays for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from conveyor.commerce.orders.model import WHOLE, OrderBody, Word

MAX_PERIOD = 100_000


class RenewalBody(OrderBody):
    """One period of a subscription. Its one item is the plan; the card is the subscription's.

    The payment method is the card as it was when the order was placed: a card that replaces it is
    charged instead.
    """

    flow: Word = "renewal"
    subscription: Word
    period: Annotated[int, Field(ge=0, le=MAX_PERIOD), WHOLE] = Field(
        description="Counted from 0, the first."
    )
