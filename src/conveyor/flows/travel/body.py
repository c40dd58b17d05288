"""The body of a journey: flights and hotel nights, each of which is held by itself."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from conveyor.commerce.orders.model import (
    MAX_TOTAL,
    UNPRINTABLE,
    WHOLE,
    Item,
    OrderBody,
    Quantity,
    UnitPrice,
    Word,
)

MAX_LEGS = 20
MAX_NIGHTS = 30
MAX_NAME_CHARACTERS = 60
# A name is part of a URL's path, and of a message group.
NAME = f"^[^{UNPRINTABLE}/]+$"
_MONTHS = (
    "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])",
    "(0[469]|11)-(0[1-9]|[12][0-9]|30)",
    "02-(0[1-9]|[12][0-9])",
)
DATE = f"^(19|20|21)[0-9]{{2}}-({'|'.join(_MONTHS)})$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARACTERS, pattern=NAME)]


def _calendar_date(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise ValueError(f"{value} is no date of the calendar, as 2013-01-31 is") from None


Day = Annotated[
    str,
    StringConstraints(pattern=DATE),
    AfterValidator(_calendar_date),
    Field(json_schema_extra={"format": "date"}, examples=["2013-01-31"]),
]
Nights = Annotated[int, Field(ge=1, le=MAX_NIGHTS), WHOLE]


def _either_kind(schema: dict[str, Any]) -> None:
    absent, named = {"type": "null"}, {"type": "string"}
    schema["anyOf"] = [
        {
            "required": ["flight"],
            "properties": {"flight": named, "hotel": absent, "nights": {"const": 1}},
        },
        {"required": ["hotel"], "properties": {"hotel": named, "flight": absent}},
    ]


class Leg(BaseModel):
    """Seats on a flight, or rooms of a hotel for one night or several in a row.

    `unit_price` is for one seat, or one room and night, in minor units.
    """

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_either_kind)

    flight: Name | None = None
    hotel: Name | None = None
    date: Day
    nights: Nights = 1
    quantity: Quantity = 1
    unit_price: UnitPrice | None = None
    refundable: bool = True

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.flight is None) == (self.hotel is None):
            raise ValueError("name either a flight or a hotel")
        if self.flight is not None and self.nights != 1:
            raise ValueError("nights: a flight has none")
        return self

    @property
    def resource(self) -> str:
        """Name what is to be held: `flight/UA1545/2013-01-01`, `hotel/Astoria/2013-01-01`."""
        kind, name = ("flight", self.flight) if self.flight else ("hotel", self.hotel)
        return f"{kind}/{name}/{self.date}"

    @property
    def item(self) -> Item:
        """Say the same as a line item."""
        return Item(sku=self.resource, quantity=self.quantity, unit_price=self.unit_price)

    def by_night(self) -> list[Self]:
        """Give a leg for each night: each is a resource of its own."""
        first = date.fromisoformat(self.date)
        days = [first + timedelta(days=night) for night in range(self.nights)]
        return [self.model_copy(update={"date": day.isoformat(), "nights": 1}) for day in days]


class TravelBody(OrderBody):
    """A journey. Its items are its legs; it is held whole, or not at all.

    What is kept is brought into one form: one leg for each flight and each night, in the order in
    which they are held. That is as they were given, but what is not refundable comes last: whatever
    is refused is refused before it is held.
    """

    PRICED: ClassVar[str] = "legs"

    flow: Word = "travel"
    items: list[Item] = Field(
        default_factory=list, max_length=0, description="Left out: they follow from the legs."
    )
    legs: list[Leg] = Field(min_length=1, max_length=MAX_LEGS)
    waitlist: bool = Field(
        default=False, description="Wait for a place where there is none, instead of being refused."
    )

    @model_validator(mode="after")
    def _total_agrees(self) -> Self:
        """Stands in for the parent's of that name, which adds up items."""
        legs = [night for leg in self.legs for night in leg.by_night()]
        self.legs = sorted(legs, key=lambda leg: not leg.refundable)
        self.items = [leg.item for leg in self.legs]
        self.total = self._total_of(legs)
        return self

    def _total_of(self, legs: list[Leg]) -> int:
        prices = [leg.unit_price for leg in legs if leg.unit_price is not None]
        if len(prices) not in {0, len(legs)}:
            raise ValueError("legs: give every leg a unit_price, or none and a total")
        if not prices:
            if self.total is None:
                raise ValueError("total: is needed when the legs have no unit_price")
            return self.total
        due = sum(leg.quantity * (leg.unit_price or 0) for leg in legs)
        if due > MAX_TOTAL:
            raise ValueError(f"legs: they come to {due}, more than {MAX_TOTAL}")
        if self.total not in {None, due}:
            raise ValueError(f"total: is {self.total}, but the legs come to {due}")
        return due
