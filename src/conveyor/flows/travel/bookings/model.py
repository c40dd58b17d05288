"""Rules of bookings: how much of a resource may be given away, and what becomes of a request.

A resource is a flight of a date, or one night of a hotel. A request for some of it is

    held -> booked                 paid for in time
    held -> expired -> booked      paid for late, and there was still room
    waiting -> held                a place came free
    refused                        there was no room, or none came free in time
    held, expired, booked, waiting -> released    the order is undone
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FLIGHT = "flight"
HOTEL = "hotel"
UNITS = {FLIGHT: "seats", HOTEL: "rooms"}

MAX_CAPACITY = 1_000_000
MAX_OVERBOOKING_PERCENT = 100


class BookingState(StrEnum):
    """How a booking stands: one word for each, stored and sent as it is written."""

    HELD = "held"
    WAITING = "waiting"
    BOOKED = "booked"
    EXPIRED = "expired"
    RELEASED = "released"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Terms:
    """For how long a place is held, and for how long a request waits for one."""

    hold_seconds: float = 15 * 60.0
    wait_seconds: float = 60 * 60.0

    def held_until(self, now_ms: int) -> int:
        """Give when what is held now expires."""
        return now_ms + round(self.hold_seconds * 1000)

    def waits_until(self, now_ms: int) -> int:
        """Give when who begins to wait now gives up."""
        return now_ms + round(self.wait_seconds * 1000)


@dataclass(slots=True)
class Resource:
    """One merchant's resource, as a transaction sees and changes it.

    `overbooking` is a percentage of the capacity. `held` and `booked` are seats or rooms, `waiting`
    is the number of requests that wait, `asked` that of all there were: each is numbered by it.
    """

    merchant: str
    name: str
    capacity: int
    overbooking: int
    description: str
    held: int
    booked: int
    waiting: int
    asked: int

    @property
    def limit(self) -> int:
        """How much may be given away in all."""
        return limit_of(self.capacity, self.overbooking)

    @property
    def free(self) -> int:
        """How much may still be given away; those who wait come first."""
        return self.limit - self.held - self.booked

    def has_room(self, quantity: int) -> bool:
        """Whether a new request can be granted: nobody is overtaken who waits."""
        return self.waiting == 0 and quantity <= self.free


@dataclass(slots=True)
class Booking:
    """A request of an order's leg; `number` is its place among the requests for its resource.

    `turn` is the one that it was taken at, in its message group. `until` is when a hold expires, or
    waiting ends. `again`: it had expired, and was held again when it was paid for.
    """

    order_id: str
    leg: int
    merchant: str
    resource: str
    quantity: int
    state: BookingState
    number: int
    turn: int
    until: int
    changed_at: int
    again: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is to be of a resource; `overbooking` is a percentage of the capacity."""

    name: str
    capacity: int
    overbooking: int = 0
    description: str = ""

    @property
    def limit(self) -> int:
        """How much may be given away in all."""
        return limit_of(self.capacity, self.overbooking)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a leg wants of a resource."""

    resource: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Leg:
    """A flight, or a hotel for a night."""

    date: str
    flight: str | None = None
    hotel: str | None = None
    quantity: int = 1

    @property
    def wanted(self) -> Wanted:
        """What it wants, and of which resource."""
        kind, name = (FLIGHT, self.flight) if self.flight else (HOTEL, self.hotel or "")
        return Wanted(resource_name(kind, name, self.date), self.quantity)


@dataclass(frozen=True, slots=True)
class Journey:
    """What bookings reads of an order's body; its legs are in the order in which they are held."""

    legs: tuple[Leg, ...]
    waitlist: bool = False


def limit_of(capacity: int, overbooking: int) -> int:
    """Give how many seats or rooms may be given away: what is overbooked is rounded down."""
    return capacity * (100 + overbooking) // 100


def resource_name(kind: str, name: str, date: str) -> str:
    """Name a resource: `flight/UA1545/2013-01-01`."""
    return f"{kind}/{name}/{date}"


def said(resource: str, quantity: int) -> str:
    """`2 seats of flight UA1545 on 2013-01-01`."""
    kind, name, date = resource.split("/", 2)
    units = UNITS.get(kind, "places")
    return f"{quantity} {units if quantity != 1 else units[:-1]} of {kind} {name} on {date}"
