"""A journey of several legs: the time to pay is one, and begins anew with each leg."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from tests.unit.goods_driver import MERCHANT, NOW_MS, Books, insert_orders
from tests.unit.goods_driver import order as shop_order

from conveyor.core.order import Order
from conveyor.core.outcome import Done, Refused
from conveyor.core.step import Now
from conveyor.flows.travel.bookings import granting, store
from conveyor.flows.travel.bookings.model import BookingState, Offer, Terms
from conveyor.flows.travel.bookings.steps import LATE, Confirm, Hold

TERMS = Terms(hold_seconds=900.0, wait_seconds=3600.0)
FLIGHTS = ("UA1", "UA2", "UA3")
APART_MS = 600_000


class Journey:
    """One order for a seat on each flight."""

    def __init__(self, books: Books, flights: Sequence[str] = FLIGHTS) -> None:
        self.books = books
        for name in flights:
            self.offer(name, 5)
        legs = [{"flight": name, "date": "2026-01-01"} for name in flights]
        body = orjson.dumps({"legs": legs}).decode()
        self.order: Order = shop_order(1)._replace(
            raw_body=body, position=0, sequence=1, flow="travel@1"
        )
        books.run(lambda tx: insert_orders(tx, [self.order]))

    def offer(self, name: str, seats: int) -> None:
        offers = [Offer(f"flight/{name}/2026-01-01", seats, 0)]
        too_small = self.books.run(lambda tx: granting.offer(tx, MERCHANT, offers, TERMS, NOW_MS))
        assert too_small == []

    def hold(self, leg: int, at_ms: int) -> None:
        one = self.order._replace(stage=leg)
        assert isinstance(self.books.run(lambda tx: Hold(TERMS).take(tx, one, Now(at_ms))), Done)

    def expire(self, at_ms: int) -> int:
        return self.books.run(lambda tx: granting.expire(tx, TERMS, at_ms))

    def look(self) -> list[tuple[str, int]]:
        """Give state and end of the hold of each leg."""
        found: Any = self.books.run(lambda tx: dict(store.bookings_of(tx, self.order.id)))
        return [(booking.state, booking.until) for _, booking in sorted(found.items())]


@pytest.fixture
def journey(books: Books) -> Journey:
    return Journey(books)


def test_the_time_to_pay_begins_anew_for_all_legs_with_each(journey: Journey) -> None:
    for leg in range(len(FLIGHTS)):
        at_ms = NOW_MS + leg * APART_MS
        journey.hold(leg, at_ms)
        assert journey.look() == [(BookingState.HELD, at_ms + 900_000)] * (leg + 1)


def test_the_first_leg_is_still_held_when_the_last_one_is(journey: Journey) -> None:
    for leg in range(len(FLIGHTS)):
        at_ms = NOW_MS + leg * APART_MS
        assert journey.expire(at_ms) == 0
        journey.hold(leg, at_ms)
    last = NOW_MS + 2 * APART_MS
    assert journey.expire(last + 899_999) == 0
    confirmed = journey.books.run(lambda tx: Confirm().take(tx, journey.order, Now(last)))
    assert isinstance(confirmed, Done)
    assert "held_again" not in confirmed.detail


def test_all_legs_expire_together_when_nobody_pays(journey: Journey) -> None:
    for leg in range(len(FLIGHTS)):
        journey.hold(leg, NOW_MS + leg * APART_MS)
    late = NOW_MS + 2 * APART_MS + 900_000
    assert journey.expire(late) == len(FLIGHTS)


@pytest.mark.parametrize("seats", [1, 2])
def test_two_late_legs_of_one_flight_need_room_for_both(books: Books, seats: int) -> None:
    journey = Journey(books, ["UA1", "UA1"])
    for leg in range(2):
        journey.hold(leg, NOW_MS)
    assert journey.expire(NOW_MS + 900_000) == 2
    journey.offer("UA1", seats)
    late = Now(NOW_MS + 900_001)
    outcome = journey.books.run(lambda tx: Confirm().take(tx, journey.order, late))
    if seats == 2:
        assert isinstance(outcome, Done)
    else:
        # A refusal, so that what was paid goes back; no fault, which would park the order.
        assert isinstance(outcome, Refused)
        assert outcome.reason.startswith(LATE)
        assert outcome.detail == {"wanted": 2, "free": 1}
