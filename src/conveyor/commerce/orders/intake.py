"""Orders that come in through a queue: our own body, or the plain form of the founding text.

The plain form is `{"orderId": "ORD123", "userId": "U456", "items": ["Item1"], "total": 100}`: its
total is in major units of the default currency, where our own body has minor ones; there is one of
each item, and `orderId` is the idempotency key. In our own body the key may stand as
`idempotencyKey`.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from conveyor.commerce.orders.bodies import Bodies
from conveyor.commerce.orders.model import (
    MAX_ITEMS,
    MAX_TOTAL,
    PRINTABLE,
    Customer,
    Item,
    OrderBody,
    Payment,
    Word,
)
from conveyor.commerce.orders.money import to_minor_units

Key = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=PRINTABLE)]

KEY_FIELD = "idempotencyKey"


class Keyed(BaseModel):
    """The key that may stand in a message beside the API's body: in it, or in an attribute."""

    idempotency_key: Key = Field(alias=KEY_FIELD)


def _as_text(value: object) -> object:
    """Take `123` for `"123"`: an id is a name, also where its sender counts."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class _OrNumber:
    """Says in the JSON Schema what `_as_text` takes."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), {"type": "integer"}]}


_TEXT = BeforeValidator(_as_text)


class PlainOrder(BaseModel):
    """The founding text's form of an order."""

    model_config = ConfigDict(extra="forbid")

    order_id: Annotated[Key, _TEXT, _OrNumber()] = Field(alias="orderId")
    user_id: Annotated[Word, _TEXT, _OrNumber()] = Field(alias="userId")
    items: list[Annotated[Word, _TEXT, _OrNumber()]] = Field(min_length=1, max_length=MAX_ITEMS)
    total: Decimal = Field(ge=0, le=MAX_TOTAL, allow_inf_nan=False)


def plain_total(value: object, default_currency: str) -> int | None:
    """Give the total, in minor units, of what is an order in the plain form."""
    try:
        plain = PlainOrder.model_validate(value) if _is_plain(value) else None
        return to_minor_units(plain.total, default_currency) if plain else None
    except ValueError:  # pydantic's too
        return None


def _is_plain(value: object) -> bool:
    return isinstance(value, dict) and "orderId" in value


def read_intake(
    value: object, bodies: Bodies, default_currency: str, default_method: str
) -> tuple[str, OrderBody]:
    """Give the idempotency key ('' for none) and the order. Raises pydantic's `ValidationError`."""
    if not _is_plain(value):
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
