"""Rules of riders: how far one is, and whom an order is offered to next. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

OFFER_SECONDS = 45.0
"""How long a rider has to accept or decline."""
SILENCE_SECONDS = 600.0
"""How long a rider with an order may be silent."""
CIRCLES_METRES = (1_000, 2_000, 4_000, 8_000)
"""Riders are looked for in the first circle around the restaurant in which there is a free one."""
LOAD_METRES = 1_500
"""What each order that a rider carries counts as, beside the way to the restaurant."""
MAX_CAPACITY = 100

EARTH_METRES = 6_371_000.0
METRES_A_DEGREE = EARTH_METRES * math.pi / 180
LEAST_COSINE = 0.01
"""Nearer to a pole than this, every longitude is near."""
HALF_TURN = 180.0


class OfferState(StrEnum):
    """How an offer stands: one word for each, stored and sent as it is written."""

    OPEN = "open"
    ACCEPTED = "accepted"
    PICKED_UP = "picked_up"
    DELIVERED = "delivered"
    DECLINED = "declined"
    LAPSED = "lapsed"
    LOST = "lost"
    WITHDRAWN = "withdrawn"


LIVE = (OfferState.OPEN, OfferState.ACCEPTED, OfferState.PICKED_UP)
"""An offer in one of these states counts to its rider's load."""
STANDING = (*LIVE, OfferState.DELIVERED)
"""Of all offers of an order, at most one is in one of these states."""

# What a rider says.
ACCEPT = "accept"
DECLINE = "decline"
PICK_UP = "pick_up"
DELIVER_IT = "deliver"
# From which state of an offer what a rider says leads where; all else is turned away. An order
# that was accepted can be given back until it is picked up.
NEXT: Mapping[tuple[OfferState, object], OfferState] = {
    (OfferState.OPEN, ACCEPT): OfferState.ACCEPTED,
    (OfferState.OPEN, DECLINE): OfferState.DECLINED,
    (OfferState.ACCEPTED, DECLINE): OfferState.DECLINED,
    (OfferState.ACCEPTED, PICK_UP): OfferState.PICKED_UP,
    (OfferState.PICKED_UP, DELIVER_IT): OfferState.DELIVERED,
}


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees, WGS 84."""

    latitude: float
    longitude: float

    def metres_to(self, other: Point) -> float:
        """Give the distance on a sphere (haversine)."""
        north, south = math.radians(self.latitude), math.radians(other.latitude)
        across = math.radians(other.longitude - self.longitude)
        square = math.sin((south - north) / 2) ** 2
        square += math.cos(north) * math.cos(south) * math.sin(across / 2) ** 2
        return 2 * EARTH_METRES * math.asin(min(1.0, math.sqrt(square)))


@dataclass(frozen=True, slots=True)
class Destination:
    """What riders read of an order's body: where the meal goes."""

    drop_off: Point | None = None
    shipping: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Box:
    """Latitudes and longitudes between which all of a circle lies."""

    south: float
    north: float
    west: float
    east: float


def box_around(centre: Point, metres: float) -> Box:
    """Give the box; across the date line, or at a pole, one of all longitudes."""
    degrees = metres / METRES_A_DEGREE
    south, north = centre.latitude - degrees, centre.latitude + degrees
    narrowest = math.cos(math.radians(max(abs(south), abs(north))))
    if narrowest < LEAST_COSINE:
        return Box(south, north, -HALF_TURN, HALF_TURN)
    aside = degrees / narrowest
    west, east = centre.longitude - aside, centre.longitude + aside
    if west < -HALF_TURN or east > HALF_TURN:
        return Box(south, north, -HALF_TURN, HALF_TURN)
    return Box(south, north, west, east)


@dataclass(frozen=True, slots=True)
class Rider:
    """A rider of a merchant. Times are milliseconds since the epoch.

    `shift_until` is 0 off shift. `load` counts the orders that are offered to or carried by the
    rider, `capacity` limits it. `heard_at` is the last sign of life. `simulated` says how a
    simulated one behaves; '' for one that answers for itself.
    """

    merchant: str
    id: str
    latitude: float
    longitude: float
    shift_until: int
    capacity: int
    load: int
    heard_at: int
    simulated: str = ""

    @property
    def place(self) -> Point:
        """Where the rider was last."""
        return Point(self.latitude, self.longitude)

    def is_free(self, now_ms: int) -> bool:
        """Whether the rider can be offered an order."""
        return self.shift_until > now_ms and self.load < self.capacity


@dataclass(frozen=True, slots=True)
class Choice:
    """Whom to offer an order to, and how far that is from the restaurant."""

    rider: Rider
    metres: int


def choose(
    riders: Iterable[Rider],
    pickup: Point,
    asked: Collection[str],
    now_ms: int,
    circles: Sequence[float] = CIRCLES_METRES,
) -> Choice | None:
    """Give the best rider of the first circle that has a free one who was not asked before.

    Best is whose way is shortest, where each order that is carried already counts as a way of
    `LOAD_METRES`; of equals, the first by id.
    """
    free = [
        Choice(rider, math.floor(rider.place.metres_to(pickup)))
        for rider in riders
        if rider.is_free(now_ms) and rider.id not in asked
    ]
    for circle in circles:
        if within := [choice for choice in free if choice.metres <= circle]:
            return min(within, key=_cost)
    return None


def _cost(choice: Choice) -> tuple[int, str]:
    return choice.metres + LOAD_METRES * choice.rider.load, choice.rider.id


@dataclass(frozen=True, slots=True)
class Offer:
    """An order that was offered to a rider, the `number`th of that order.

    `changed_at` is when it came to be in its state. `metres`: from the rider to the restaurant.
    """

    order_id: str
    rider: str
    merchant: str
    number: int
    state: OfferState
    metres: int
    offered_at: int
    answer_by: int
    changed_at: int


def new_offer(order_id: str, choice: Choice, number: int, now_ms: int, answer_by: int) -> Offer:
    """Give the offer to make of a choice."""
    rider = choice.rider
    return Offer(
        order_id,
        rider.id,
        rider.merchant,
        number,
        OfferState.OPEN,
        choice.metres,
        now_ms,
        answer_by,
        now_ms,
    )
