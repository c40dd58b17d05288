"""What an order must look like. Pure rules: nothing of ours is imported here."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    field_validator,
    model_validator,
)

MAX_ITEMS = 1_000
MAX_QUANTITY = 1_000_000
MAX_UNIT_PRICE = 10**12  # minor units
MAX_TOTAL = 10**15  # minor units
MAX_METADATA_ENTRIES = 50
MAX_METADATA_DEPTH = 8
CARD_DIGITS = range(12, 20)
MAX_METADATA_INTEGER = 2**63 - 1  # what every reader of JSON in a language with 64 bits can take

# Without control characters: PostgreSQL cannot store NUL, and no terminal should see the rest; nor
# those that turn the direction of a line around, which make it read as what it is not.
UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
PRINTABLE = f"^[^{UNPRINTABLE}]*$"

Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE)]
Line = Annotated[str, StringConstraints(max_length=500, pattern=PRINTABLE)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


def _whole(value: object) -> object:
    """In JSON 2354.0 and 2354 are the same number, and some languages write it so."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Outermost, so that the limits stay where pydantic checks them fast and describes them.
WHOLE = BeforeValidator(_whole)
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY), WHOLE]
UnitPrice = Annotated[int, Field(ge=0, le=MAX_UNIT_PRICE), WHOLE]
Total = Annotated[int, Field(ge=0, le=MAX_TOTAL), WHOLE]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Customer(_Strict):
    """Who ordered."""

    id: Word
    email: Annotated[str, StringConstraints(max_length=320, pattern=PRINTABLE)] | None = None


class Item(_Strict):
    """A line item; `unit_price` in minor units."""

    sku: Word
    quantity: Quantity
    unit_price: UnitPrice | None = None


class Payment(_Strict):
    """How it is paid: a method or token that the payment provider knows."""

    method: Word

    @field_validator("method")
    @classmethod
    def _no_card(cls, value: str) -> str:
        if _is_card_number(value):
            raise ValueError("payment.method: is a card number: give the provider's token for it")
        return value


class Shipping(_Strict):
    """Where it goes."""

    name: Line = ""
    line1: Line = ""
    line2: Line = ""
    city: Line = ""
    postal_code: Line = ""
    region: Line = ""
    country: Country | None = None


class OrderBody(_Strict):
    """An order as placed. Money is integer minor units (cents)."""

    PRICED: ClassVar[str] = "items"
    """The field whose members have a unit price each, or none has and there is a total."""

    flow: Word = "shop"
    reference: Line = ""
    customer: Customer
    currency: Currency
    items: list[Item] = Field(min_length=1, max_length=MAX_ITEMS)
    total: Total | None = None
    payment: Payment
    shipping: Shipping = Field(default_factory=Shipping)
    metadata: dict[str, JsonValue] = Field(default_factory=dict, max_length=MAX_METADATA_ENTRIES)

    @field_validator("metadata")
    @classmethod
    def _storable(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_storable("metadata", value)
        return value

    @model_validator(mode="after")
    def _total_agrees(self) -> Self:
        prices = [item.unit_price for item in self.items]
        if any(price is None for price in prices):
            if any(price is not None for price in prices):
                raise ValueError("items: give every item a unit_price, or none and a total")
            if self.total is None:
                raise ValueError("total: is needed when the items have no unit_price")
            return self
        lines = sum(item.quantity * (item.unit_price or 0) for item in self.items)
        if lines > MAX_TOTAL:
            raise ValueError(f"items: they come to {lines}, more than {MAX_TOTAL}")
        if self.total is None:
            self.total = lines
        elif self.total != lines:
            raise ValueError(f"total: is {self.total}, but the items come to {lines}")
        return self

    @property
    def amount(self) -> int:
        """The total in minor units, given or added up."""
        assert self.total is not None  # noqa: S101 - the validator has set it
        return self.total


def _is_card_number(text: str) -> bool:
    """Whether the digits pass the check that all card numbers pass (ISO/IEC 7812-1, annex B)."""
    digits = text.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) in CARD_DIGITS):
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def check_storable(name: str, value: object, depth: int = 1) -> None:
    """Raise ValueError for JSON that a database, or a reader in another language, cannot take."""
    if depth > MAX_METADATA_DEPTH:
        raise ValueError(f"{name}: is nested more than {MAX_METADATA_DEPTH} deep")
    if isinstance(value, str) and "\x00" in value:
        raise ValueError(f"{name}: a text contains the character NUL")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name}: a number is too large")
    if isinstance(value, int) and abs(value) > MAX_METADATA_INTEGER:
        raise ValueError(f"{name}: an integer is beyond {MAX_METADATA_INTEGER}")
    if isinstance(value, dict):
        for key, inner in value.items():
            check_storable(name, key, depth)
            check_storable(name, inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            check_storable(name, inner, depth + 1)
