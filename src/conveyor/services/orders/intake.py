"""Orders that come in through a queue: our own body, or the plain form of the founding text.

The plain form is `{"orderId": "ORD123", "userId": "U456", "items": ["Item1"], "total": 100}`: its
total is in major units of the default currency, there is one of each item, and `orderId` is the
idempotency key. In our own body the key may stand as `idempotencyKey`.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal, Inexact, localcontext
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from conveyor.services.orders.bodies import Bodies
from conveyor.services.orders.model import (
    MAX_ITEMS,
    MAX_TOTAL,
    PRINTABLE,
    Customer,
    Item,
    OrderBody,
    Payment,
    Word,
)

# ISO 4217: currencies whose minor unit is not a hundredth.
MINOR_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}

Key = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=PRINTABLE)]


KEY_FIELD = "idempotencyKey"


class Keyed(BaseModel):
    """The key that may stand in a message beside the API's body: in it, or in an attribute."""

    idempotency_key: Key = Field(alias=KEY_FIELD)


class PlainOrder(BaseModel):
    """The founding text's form of an order."""

    model_config = ConfigDict(extra="forbid")

    order_id: Key = Field(alias="orderId")
    user_id: Word = Field(alias="userId")
    items: list[Word] = Field(min_length=1, max_length=MAX_ITEMS)
    total: Decimal = Field(ge=0, le=MAX_TOTAL, allow_inf_nan=False)


def read_intake(
    value: object, bodies: Bodies, default_currency: str, default_method: str
) -> tuple[str, OrderBody]:
    """Give the idempotency key ('' for none) and the order. Raises pydantic's `ValidationError`."""
    if not (isinstance(value, dict) and "orderId" in value):
        key = ""
        if isinstance(value, dict) and KEY_FIELD in value:
            keyed = Keyed.model_validate({KEY_FIELD: value[KEY_FIELD]})
            key = keyed.idempotency_key
            value = {name: of for name, of in value.items() if name != KEY_FIELD}
        return key, bodies.read(value)
    plain = PlainOrder.model_validate(value)
    counts = Counter(plain.items)
    body = OrderBody(
        reference=plain.order_id,
        customer=Customer(id=plain.user_id),
        currency=default_currency,
        items=[Item(sku=sku, quantity=quantity) for sku, quantity in counts.items()],
        total=to_minor_units(plain.total, default_currency),
        payment=Payment(method=default_method),
    )
    return plain.order_id, body


def to_minor_units(amount: Decimal, currency: str) -> int:
    """100 USD is 10000. Raises ValueError when the currency has no such small unit."""
    with localcontext() as context:
        context.traps[Inexact] = True  # else what is far too small would be rounded to nothing
        try:
            minor = amount.scaleb(MINOR_DIGITS.get(currency, 2))
        except Inexact:
            minor = Decimal("NaN")
    if minor.is_nan() or minor != minor.to_integral_value():
        raise ValueError(f"total: {amount} {currency} has too many decimal places")
    return int(minor)
