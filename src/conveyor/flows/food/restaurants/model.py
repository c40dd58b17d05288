"""Rules of restaurants: when one is open, and where a ticket can be. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

ANSWER_SECONDS = 300.0
"""How long a restaurant has to accept or reject."""
MAX_PREPARING = 10_000
MAX_MINUTES = 24 * 60


class TicketState(StrEnum):
    """How a ticket stands: one word for each, stored and sent as it is written."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    READY = "ready"
    COLLECTED = "collected"
    REJECTED = "rejected"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"


UNDER_WAY = (TicketState.ASKED, TicketState.ACCEPTED, TicketState.READY)
"""A ticket in one of these states is still to be worked on, or waits for its rider."""

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SPAN_PATTERN = r"^(([01]\d|2[0-3]):[0-5]\d)-(([01]\d|2[0-3]):[0-5]\d|24:00)$"
_SPAN = re.compile(SPAN_PATTERN)
MINUTES_A_DAY = 24 * 60

Hours = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Meal:
    """What restaurants read of an order's body: which of them is to prepare it, '' for none."""

    restaurant: str = ""


@dataclass(frozen=True, slots=True)
class Dish:
    """A line of what is to be prepared."""

    sku: str
    quantity: int
    unit_price: int | None = None


@dataclass(frozen=True, slots=True)
class Dishes:
    """What a ticket shows of an order's body."""

    items: tuple[Dish, ...]


@dataclass(frozen=True, slots=True)
class Restaurant:
    """A restaurant of a merchant; `hours` by day, in its own time zone: none at all is always.

    A span such as `18:00-02:00` ends on the next day. `max_preparing` is how many orders it
    prepares at once. `simulated` says how a simulated one behaves; '' for one that answers for
    itself.
    """

    merchant: str
    id: str
    latitude: float
    longitude: float
    zone: str = "UTC"
    hours: Hours = field(default_factory=dict)
    max_preparing: int = 20
    paused: bool = False
    simulated: str = ""

    def is_open(self, at_ms: int) -> bool:
        """Whether it takes orders at this moment."""
        if self.paused:
            return False
        if not self.hours:
            return True
        here = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(self.zone))
        minute = here.hour * 60 + here.minute
        yesterday = here - timedelta(days=1)
        return any(
            start <= minute < end for start, end in self._spans(DAYS[here.weekday()])
        ) or any(
            start <= minute + MINUTES_A_DAY < end
            for start, end in self._spans(DAYS[yesterday.weekday()])
        )

    def _spans(self, day: str) -> list[tuple[int, int]]:
        return [span_minutes(span) for span in self.hours.get(day, ())]


def span_minutes(span: str) -> tuple[int, int]:
    """Read `11:00-14:30` as minutes of its day; one that ends on the next day ends above 1440.

    Raises `ValueError`.
    """
    found = _SPAN.match(span)
    if found is None:
        raise ValueError(f"{span!r} is no span of hours such as 11:00-14:30")
    start, end = (_minute(found.group(group)) for group in (1, 3))
    return start, end if end > start else end + MINUTES_A_DAY


def _minute(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order as its restaurant sees it. Times are milliseconds since the epoch.

    `minutes` is the preparation time that it was accepted with.
    """

    order_id: str
    merchant: str
    restaurant: str
    state: TicketState
    asked_at: int
    answered_at: int | None = None
    minutes: int | None = None
    ready_at: int | None = None
    reason: str = ""

    @property
    def due_at(self) -> int | None:
        """When the food was promised to be ready; None before it is accepted."""
        if self.answered_at is None or self.minutes is None:
            return None
        return self.answered_at + self.minutes * 60_000
