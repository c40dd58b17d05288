"""What an order must look like. Pure rules: nothing of ours is imported here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    field_validator,
    model_validator,
)

DEFAULT_FLOW = "shop"
"""That of an order which names none."""
MAX_ITEMS = 1_000
MAX_QUANTITY = 1_000_000
MAX_UNIT_PRICE = 10**12  # minor units
MAX_TOTAL = 10**15  # minor units
MAX_METADATA_ENTRIES = 50
MAX_METADATA_DEPTH = 8
MAX_METADATA_VALUES = 5_000
MAX_METADATA_CHARACTERS = 65_536
"""In all lists and objects together: it is read with each of the order's steps, in groups of
hundreds of orders."""
MAX_METADATA_INTEGER = 2**63 - 1  # what every reader of JSON in a language with 64 bits can take

# Without control characters: PostgreSQL cannot store NUL, and no terminal should see the rest; nor
# those that turn the direction of a line around, which make it read as what it is not.
UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
PRINTABLE = f"^[^{UNPRINTABLE}]*$"
# As much as can be told of an address without writing to it.
EMAIL = rf"^[^@ {UNPRINTABLE}]+@[^@ {UNPRINTABLE}]+\.[^@. {UNPRINTABLE}]+$"

# ISO 4217, its list one of 2026-01-01: the currencies by how many digits their minor unit has.
_BY_MINOR_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD "
        "CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP "
        "GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK "
        "LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO "
        "NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS "
        "SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST "
        "XAD XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
MINOR_DIGITS = {
    code: digits for digits, codes in _BY_MINOR_DIGITS.items() for code in codes.split()
}

Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE)]
SingleLine = Annotated[str, StringConstraints(max_length=500, pattern=PRINTABLE)]
Email = Annotated[str, StringConstraints(max_length=320, pattern=EMAIL)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


def _whole(value: object) -> object:
    """In JSON 2354.0 and 2354 are the same number, and some languages write it so."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _currency(value: str) -> str:
    if value not in MINOR_DIGITS:
        raise ValueError(f"{value!r} is no currency of ISO 4217, as USD and EUR are")
    return value


Currency = Annotated[
    str,
    AfterValidator(_currency),
    Field(json_schema_extra={"format": "iso-4217"}, examples=["USD"]),
]


# Digits in a row, or in the groups in which they stand on a card; each text is searched once.
_CARD_LIKE = re.compile(
    "(?<![0-9])(?:[0-9]{13,19}"
    "|[0-9]{4}(?:[ -][0-9]{4}){2,3}(?:[ -][0-9]{1,3})?"
    "|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5})(?![0-9])"
)
# How numbers of the networks begin, and how long they are: what is otherwise is a day, a time, an
# article or a telephone, which would pass the check one time in ten.
_ISSUED = re.compile(
    "4[0-9]{12}(?:[0-9]{3}){0,2}|5[0-9]{15}|2[2-7][0-9]{14}"
    "|3[47][0-9]{13}|3[05689][0-9]{12,17}|6[0-9]{15,18}"
)


class PersonalData:
    """Marks a field that says something of a person: it is told nowhere, and erased when asked."""


PERSONAL = PersonalData()
"""In a field's `Annotated`; what is within it is personal too."""

# Outermost, so that the limits stay where pydantic checks them fast and describes them.
WHOLE = BeforeValidator(_whole)


def _no_card(text: str) -> str:
    if any(_is_card_number(found) for found in _CARD_LIKE.findall(text)):
        raise ValueError("holds a card number: give the payment provider's token for it")
    return text


def _is_card_number(text: str) -> bool:
    """Whether it begins as one, and passes the check of ISO/IEC 7812-1, annex B."""
    digits = text.replace(" ", "").replace("-", "")
    if not _ISSUED.fullmatch(digits):
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


Note = Annotated[SingleLine, AfterValidator(_no_card)]
"""Free text, which is kept and shown: no card number may be in it."""
Method = Annotated[Word, AfterValidator(_no_card)]
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY), WHOLE]
UnitPrice = Annotated[int, Field(ge=0, le=MAX_UNIT_PRICE), WHOLE]
Total = Annotated[int, Field(ge=0, le=MAX_TOTAL), WHOLE]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Customer(_Strict):
    """Who ordered."""

    id: Word
    email: Annotated[Email | None, PERSONAL] = None


class Item(_Strict):
    """A line item; `unit_price` in minor units."""

    sku: Word
    quantity: Quantity
    unit_price: UnitPrice | None = None


class Payment(_Strict):
    """How it is paid: a method or token that the payment provider knows."""

    method: Annotated[Method, PERSONAL]


class Shipping(_Strict):
    """Where it goes."""

    name: Note = ""
    line1: Note = ""
    line2: Note = ""
    city: Note = ""
    postal_code: Note = ""
    region: Note = ""
    country: Country | None = None


class OrderBody(_Strict):
    """An order as placed. Money is integer minor units (cents)."""

    PRICED: ClassVar[str] = "items"
    """The field whose members have a unit price each, or none has and there is a total."""

    flow: Word = DEFAULT_FLOW
    reference: Note = ""
    customer: Customer
    currency: Currency
    items: list[Item] = Field(min_length=1, max_length=MAX_ITEMS)
    total: Total | None = None
    payment: Payment
    shipping: Annotated[Shipping, PERSONAL] = Field(default_factory=Shipping)
    metadata: Annotated[dict[str, JsonValue], PERSONAL] = Field(
        default_factory=dict, max_length=MAX_METADATA_ENTRIES
    )

    @field_validator("metadata")
    @classmethod
    def _storable(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_storable("metadata", value)
        for text in _texts(value):
            _no_card(text)
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


def _texts(value: object) -> Iterator[str]:
    """Give every text and integer within JSON."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str | int):
        yield str(value)


def check_storable(name: str, value: object) -> None:
    """Raise ValueError for JSON that a database, or a reader in another language, cannot take."""
    _Storable(name).check(value, 1)


class _Storable:
    """Counts as it goes: so many values and characters, in all lists and objects together."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._values = 0
        self._characters = 0

    def check(self, value: object, depth: int) -> None:
        self._values += 1
        if self._values > MAX_METADATA_VALUES:
            raise self._wrong(f"has more than {MAX_METADATA_VALUES:,} values")
        if depth > MAX_METADATA_DEPTH:
            raise self._wrong(f"is nested more than {MAX_METADATA_DEPTH} deep")
        if isinstance(value, dict):
            for key, inner in value.items():
                self.check(key, depth)
                self.check(inner, depth + 1)
        elif isinstance(value, list):
            for inner in value:
                self.check(inner, depth + 1)
        elif isinstance(value, str):
            self._check_text(value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise self._wrong("a number is too large")
        elif isinstance(value, int) and abs(value) > MAX_METADATA_INTEGER:
            raise self._wrong(f"an integer is beyond {MAX_METADATA_INTEGER}")

    def _check_text(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > MAX_METADATA_CHARACTERS:
            raise self._wrong(f"has more than {MAX_METADATA_CHARACTERS:,} characters")
        if "\x00" in text:
            raise self._wrong("a text contains the character NUL")

    def _wrong(self, why: str) -> ValueError:
        return ValueError(f"{self._name}: {why}")
