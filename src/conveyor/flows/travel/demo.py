"""The demonstration's journeys: real flights, which more people want than there are seats.

Who wants to go, and how it is paid for, is made up by number: everybody wants one of the smallest
planes, some two seats, some a hotel as well; some cards are declined, and some people wait when
there is no seat.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, ClassVar

from conveyor.checks.stories import completed_among
from conveyor.core.tables import timeline
from conveyor.extension import Demo, Story
from conveyor.flows.travel.bookings.granting import offer
from conveyor.flows.travel.bookings.model import HOTEL, Offer, resource_name
from conveyor.flows.travel.bookings.resource_file import read_resource_file
from conveyor.flows.travel.extension import booking_terms
from conveyor.system.composition import App

PACKAGED = "data/flights-nyc-2013-01-01.csv"
PLANES = 20
DAYS = ("2013-01-01", "2013-01-02")
HOTELS = {"Harbour": 30, "Terminal": 40, "Old Mill": 12}
"""Rooms by name."""
OVERBOOKING_PERCENT = 10
SEAT, ROOM = 14_900, 9_900  # cents


async def open_bookings(app: App, merchant: str) -> None:
    """Offer the flights and the hotels' nights."""
    terms, now_ms = booking_terms(app.settings), app.parts.ambient.now_ms()
    nights = [
        Offer(resource_name(HOTEL, name, day), rooms, OVERBOOKING_PERCENT)
        for name, rooms in HOTELS.items()
        for day in DAYS
    ]
    offers = [*_flights(), *nights]
    await app.parts.database.run(lambda tx: offer(tx, merchant, offers, terms, now_ms))


def journeys() -> Iterator[dict[str, Any]]:
    """Give the orders."""
    planes = sorted(_flights(), key=lambda one: (one.capacity, one.name))[:PLANES]
    asked = (plane for plane in planes for _ in range(plane.capacity + 1))
    return (_journey(number, plane) for number, plane in enumerate(asked, start=1))


def _flights() -> list[Offer]:
    text = files("conveyor").joinpath(PACKAGED).read_text(encoding="utf-8")
    return list(read_resource_file(text.splitlines()))


def _journey(number: int, plane: Offer) -> dict[str, Any]:
    _, flight, day = plane.name.split("/")
    seats = 1 + (number % 5 == 0)
    legs: list[dict[str, Any]] = [
        {"flight": flight, "date": day, "quantity": seats, "unit_price": SEAT}
    ]
    if number % 3 == 0:
        hotel = {"hotel": list(HOTELS)[number // 3 % len(HOTELS)], "date": day, "nights": 2}
        legs.append(hotel | {"unit_price": ROOM, "refundable": number % 2 == 0})
    return {
        "flow": "travel",
        "reference": f"journey-{number}",
        "customer": {"id": f"traveller-{number}"},
        "currency": "USD",
        "legs": legs,
        "waitlist": number % 2 == 0,
        "payment": {"method": "card_declined" if number % 5 == 1 else "card_ok"},
    }


class TravelDemo(Demo):
    """What the flow shows of itself."""

    shows: ClassVar[str] = "Seats on real flights are held and booked, and run out."
    settings: ClassVar[Mapping[str, Any]] = {"booking_wait_seconds": 5.0}
    stories: ClassVar[Sequence[Story]] = (
        (
            completed_among(timeline.c.order_id, timeline.c.detail.contains("a place came free")),
            "it waited for a seat, and got one",
        ),
    )

    def orders(self) -> Iterator[dict[str, Any]]:
        """Give the orders, the same each time."""
        return journeys()

    async def set_up(self, app: App, merchant: str) -> None:
        """Make what can be ordered; harmless where it is there."""
        await open_bookings(app, merchant)
