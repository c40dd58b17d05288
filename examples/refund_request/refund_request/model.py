"""What a refund request looks like, and when it is refused without asking anybody. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from conveyor.extension import Order, OrderBody, Payment, SingleLine, Word

ORDER_ID = r"^[0-9A-HJKMNP-TV-Z]{26}$"


class StoreCredit(Payment):
    """How the money goes back."""

    method: Literal["store_credit"]


class RefundBody(OrderBody):
    """A refund request: the items and the total are what is asked back of the completed `order`."""

    flow: Word = "refund"
    order: Annotated[str, Field(pattern=ORDER_ID)]
    why: SingleLine
    payment: StoreCredit


class Decision(BaseModel):
    """What the person says."""

    model_config = ConfigDict(extra="forbid", strict=True)

    approved: bool
    by: Word


def refusal(request: Order, about: Order | None) -> str:
    """Say why nobody need be asked; '' when somebody must be."""
    if about is None or about.customer != request.customer:
        return "this customer has no such order"
    if about.status != "completed":
        return f"the order is {about.status}, not completed"
    if about.currency != request.currency or about.total < request.total:
        return "it is more than was paid"
    return ""
