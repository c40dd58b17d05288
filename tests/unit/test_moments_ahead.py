"""Moments that were stored by a clock that ran ahead: nothing stands longer than its own limit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from tests.unit.goods_driver import NOW_MS, Books, insert_orders, order

from conveyor.core import calls
from conveyor.core.attempts import Attempt
from conveyor.core.call_state import CallState
from conveyor.core.order import Order
from conveyor.core.outcome import Awaiting, Outcome, Park, Refused
from conveyor.core.provider_call import Grant
from conveyor.core.step import Now
from conveyor.core.transaction import Tx
from conveyor.flows.food.riders import store as riders
from conveyor.flows.food.riders.model import (
    OFFER_SECONDS,
    SILENCE_SECONDS,
    Offer,
    OfferState,
    Point,
    Rider,
)
from conveyor.flows.food.riders.steps import Assign, Deliver
from conveyor.flows.renewal.subscriptions import control
from conveyor.flows.renewal.subscriptions.model import DAY_MS
from conveyor.flows.renewal.subscriptions.pace import BURST_MS, admit
from conveyor.flows.travel.bookings import granting
from conveyor.flows.travel.bookings import store as bookings
from conveyor.flows.travel.bookings.model import BookingState, Terms
from conveyor.flows.travel.bookings.model import Offer as Seats
from conveyor.flows.travel.bookings.steps import Hold

AHEAD = pytest.mark.parametrize("ahead_ms", [120_000, DAY_MS, 365 * DAY_MS])
SEAT = "flight/UA1545/2013-01-01"
TERMS = Terms(hold_seconds=900.0, wait_seconds=3600.0)
NOW = Now(NOW_MS)


def after(seconds: float) -> Now:
    return Now(NOW_MS + round(seconds * 1000))


class Kitchens:
    """Every restaurant is in one place."""

    def pickup_of(self, _tx: Tx, _order: Order) -> Point:
        return Point(52.0, 13.0)

    def collected(self, _tx: Tx, _order: Order) -> None: ...


class Town:
    """One rider, and an order that was offered to them by a clock that was ahead."""

    def __init__(self, books: Books, ahead_ms: int, state: OfferState) -> None:
        self.books = books
        self.order = order(1)
        then = NOW_MS + ahead_ms
        rider = Rider(
            self.order.merchant, "r", 52.0, 13.0, 2 * then, 1, load=0, heard_at=then, simulated=""
        )
        offer = Offer(
            self.order.id,
            "r",
            rider.merchant,
            1,
            state,
            5,
            then,
            then + round(OFFER_SECONDS * 1000),
            then,
        )

        def make(tx: Tx) -> None:
            insert_orders(tx, [self.order])
            riders.put(tx, rider)
            assert riders.make(tx, offer, NOW_MS)

        books.run(make)

    def overdue(self, now: Now) -> Outcome:
        step = Deliver(Kitchens(), OFFER_SECONDS, SILENCE_SECONDS)
        return self.books.run(lambda tx: step.overdue(tx, self.order, now))

    def hear(self, now: Now) -> None:
        self.books.run(lambda tx: riders.hear(tx, self.order.merchant, "r", now.ms))

    def offers(self) -> list[str]:
        found = self.books.run(lambda tx: riders.offers_of(tx, self.order.id))
        return [one.state for one in found]


@AHEAD
def test_an_offer_stands_no_longer_than_offers_do(books: Books, ahead_ms: int) -> None:
    town = Town(books, ahead_ms, OfferState.OPEN)
    step = Assign(Kitchens(), OFFER_SECONDS)
    outcome = books.run(lambda tx: step.stand(tx, town.order, NOW))
    assert isinstance(outcome, Awaiting)
    assert outcome.seconds == OFFER_SECONDS


@AHEAD
@pytest.mark.parametrize("state", [OfferState.ACCEPTED, OfferState.PICKED_UP])
def test_a_silent_rider_is_noticed_after_the_time_of_silence(
    books: Books, ahead_ms: int, state: OfferState
) -> None:
    town = Town(books, ahead_ms, state)
    first = town.overdue(NOW)  # nobody knows when it was: from now on it is known
    assert isinstance(first, Awaiting)
    assert first.seconds == SILENCE_SECONDS
    second = town.overdue(after(SILENCE_SECONDS))
    if state == OfferState.PICKED_UP:
        assert isinstance(second, Park)
        assert f"{SILENCE_SECONDS / 60:.0f} minutes" in second.cause
    else:
        assert isinstance(second, Refused)
        assert town.offers() == [OfferState.LOST]


def test_a_rider_who_is_heard_of_meanwhile_is_not_silent(books: Books) -> None:
    town = Town(books, DAY_MS, OfferState.ACCEPTED)
    town.hear(after(-100))
    outcome = town.overdue(NOW)
    assert isinstance(outcome, Awaiting)
    assert outcome.seconds == SILENCE_SECONDS - 100


def test_clocks_that_differ_a_little_make_nobody_silent(books: Books) -> None:
    town = Town(books, 1_000, OfferState.ACCEPTED)
    outcome = town.overdue(NOW)
    assert isinstance(outcome, Awaiting)
    assert outcome.seconds == SILENCE_SECONDS


class Flight:
    """One seat, and who wants it."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.step = Hold(TERMS)
        offered = [Seats(SEAT, 1)]
        books.run(lambda tx: granting.offer(tx, order(1).merchant, offered, TERMS, NOW_MS))

    def ask(self, number: int, now: Now) -> Order:
        body = {
            "legs": [{"flight": "UA1545", "date": "2013-01-01", "quantity": 1}],
            "waitlist": True,
        }
        asking = order(number)._replace(
            raw_body=orjson.dumps(body).decode(), position=0, sequence=number, flow="travel@1"
        )
        self.books.run(lambda tx: insert_orders(tx, [asking]))
        self.books.run(lambda tx: self.step.take(tx, asking, now))
        return asking

    def overdue(self, asking: Order, now: Now) -> Outcome:
        return self.books.run(lambda tx: self.step.overdue(tx, asking, now))

    def expire(self, now: Now) -> int:
        return self.books.run(lambda tx: granting.expire(tx, TERMS, now.ms))

    def state(self, asking: Order) -> str:
        return self.books.run(lambda tx: bookings.bookings_of(tx, asking.id)[0].state)


@AHEAD
def test_a_hold_expires_after_the_time_of_holds(books: Books, ahead_ms: int) -> None:
    flight = Flight(books)
    held = flight.ask(1, Now(NOW_MS + ahead_ms))
    assert flight.expire(NOW) == 0
    assert flight.expire(after(TERMS.hold_seconds - 1)) == 0
    assert flight.state(held) == BookingState.HELD
    assert flight.expire(after(TERMS.hold_seconds)) == 1
    assert flight.state(held) == BookingState.EXPIRED


@AHEAD
def test_nobody_waits_longer_than_the_time_to_wait(books: Books, ahead_ms: int) -> None:
    flight = Flight(books)
    flight.ask(1, NOW)
    waits = flight.ask(2, Now(NOW_MS + ahead_ms))
    outcome = flight.overdue(waits, NOW)
    assert isinstance(outcome, Awaiting)
    assert outcome.seconds == TERMS.wait_seconds
    assert isinstance(flight.overdue(waits, after(TERMS.wait_seconds)), Refused)


@AHEAD
def test_renewals_are_started_again_after_a_moment(books: Books, ahead_ms: int) -> None:
    def begin(tx: Tx) -> None:
        control.decide(tx, "m", 100, 10.0)
        assert control.spend(tx, "m", NOW_MS + ahead_ms, 5).count == 5

    def spend(now: Now) -> Any:
        return books.run(lambda tx: control.spend(tx, "m", now.ms, 5))

    books.run(begin)
    first = spend(NOW)
    assert (first.count, first.wait_ms <= BURST_MS) == (0, True)
    assert spend(Now(NOW_MS + first.wait_ms)).count > 0


@pytest.mark.parametrize("per_second", [0.1, 1.0, 1000.0])
def test_a_bucket_is_never_emptied_in_the_future(per_second: float) -> None:
    admitted = admit(NOW_MS + DAY_MS, NOW_MS, per_second, 5)
    assert admitted.count == 0
    assert admitted.free_at == NOW_MS
    assert admitted.wait_ms <= max(BURST_MS, 1000 / per_second)


def _steps(until: int, taken: int, intended: int) -> Iterable[int]:
    """Say for how long a call is still waited for, look by look, until it is not."""
    now, attempt = (
        NOW,
        Attempt("o", "s", 1, CallState.UNKNOWN, intended, None, until, taken, ""),
    )
    while (left := calls.others_until(attempt, now) - now.ms) > 0:
        yield left
        now = Now(now.ms + left)
        attempt = attempt._replace(may_run_until=now.ms)


@AHEAD
def test_a_call_is_waited_for_as_long_as_calls_may_run(ahead_ms: int) -> None:
    then, may_run = NOW_MS + ahead_ms, Grant().may_run_ms
    assert list(_steps(then + may_run, 1, then)) == [may_run]
    # Taken up by such a clock, later: nobody knows how long that grant was to be.
    [left] = _steps(then + may_run, 2, NOW_MS)
    assert left <= calls.LONGEST_GRANT_MS
