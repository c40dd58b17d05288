"""Who gets how much of a resource: by rules, by any sequence of requests, and under load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.unit.goods_driver import NOW_MS, Books, insert_orders
from tests.unit.goods_driver import order as shop_order

from conveyor.core.order import Order
from conveyor.core.outcome import Awaiting, Done, Outcome, Refused
from conveyor.core.step import Now
from conveyor.flows.travel.bookings import granting, store
from conveyor.flows.travel.bookings.model import (
    Booking,
    BookingState,
    Offer,
    Resource,
    Terms,
    limit_of,
    said,
)
from conveyor.flows.travel.bookings.resource_file import ResourceFileError, read_resource_file
from conveyor.flows.travel.bookings.steps import Confirm, Hold, Release

NAME = "flight/UA1545/2013-01-01"
MERCHANT = "acme"
TERMS = Terms(hold_seconds=900.0, wait_seconds=3600.0)
FLIGHTS = Path("examples/flights-nyc-2013-01-01.csv")


@given(st.integers(0, 1_000_000), st.integers(0, 100))
def test_overbooking_never_exceeds_its_percentage(capacity: int, percent: int) -> None:
    limit = limit_of(capacity, percent)
    assert limit * 100 <= capacity * (100 + percent) < (limit + 1) * 100
    assert capacity <= limit <= 2 * capacity


def test_a_booking_is_said_in_words() -> None:
    assert said(NAME, 1) == "1 seat of flight UA1545 on 2013-01-01"
    assert said("hotel/Astoria/2013-01-01", 2) == "2 rooms of hotel Astoria on 2013-01-01"


class _Bookings:
    """A resource, and the journeys that want it."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.now = NOW_MS
        self.count = 0
        self.hold, self.confirm, self.release = Hold(TERMS), Confirm(), Release(TERMS)

    def offer(self, capacity: int, overbooking: int = 0) -> bool:
        offered = [Offer(NAME, capacity, overbooking)]
        return not self.books.run(lambda tx: granting.offer(tx, MERCHANT, offered, TERMS, self.now))

    def ask(self, quantity: int = 1, *, waitlist: bool = False) -> tuple[Order, Outcome]:
        self.count += 1
        body = {
            "legs": [{"flight": "UA1545", "date": "2013-01-01", "quantity": quantity}],
            "waitlist": waitlist,
        }
        order = shop_order(self.count)._replace(
            raw_body=_json(body), position=0, sequence=self.count, flow="travel@1"
        )
        self.books.run(lambda tx: insert_orders(tx, [order]))
        return order, self.take(self.hold, order)

    def take(self, step: Any, order: Order) -> Outcome:
        outcome: Outcome = self.books.run(lambda tx: step.take(tx, order, Now(self.now)))
        return outcome

    def overdue(self, order: Order) -> Outcome:
        return self.books.run(lambda tx: self.hold.overdue(tx, order, Now(self.now)))

    def expire(self) -> int:
        return self.books.run(lambda tx: granting.expire(tx, TERMS, self.now))

    def resource(self) -> Resource:
        found = self.books.run(lambda tx: store.find(tx, MERCHANT, NAME))
        assert found is not None
        return found

    def booking(self, order: Order) -> Booking:
        return self.books.run(lambda tx: store.bookings_of(tx, order.id)[0])


def _json(body: dict[str, Any]) -> str:
    return orjson.dumps(body).decode()


@pytest.fixture
def desk(books: Books) -> _Bookings:
    return _Bookings(books)


def test_what_is_free_is_held_until_it_is_full(desk: _Bookings) -> None:
    desk.offer(2)
    kinds = [type(desk.ask()[1]) for _ in range(3)]
    assert kinds == [Done, Done, Refused]
    assert (desk.resource().held, desk.resource().asked) == (2, 3)


def test_waiting_is_in_order_even_when_a_later_one_would_fit(desk: _Bookings) -> None:
    desk.offer(2)
    first, _ = desk.ask(2)
    couple, outcome = desk.ask(2, waitlist=True)
    single, _ = desk.ask(1, waitlist=True)
    assert isinstance(outcome, Awaiting)
    desk.offer(3)
    assert [desk.booking(o).state for o in (couple, single)] == [
        BookingState.WAITING,
        BookingState.WAITING,
    ]
    desk.take(desk.release, first)
    assert [desk.booking(o).state for o in (couple, single)] == [
        BookingState.HELD,
        BookingState.HELD,
    ]
    assert isinstance(desk.overdue(couple), Done)


def test_a_hold_expires_and_can_be_paid_for_while_there_is_room(desk: _Bookings) -> None:
    desk.offer(1)
    order, _ = desk.ask()
    assert desk.expire() == 0
    desk.now += 900_000
    assert desk.expire() == 1
    assert (desk.booking(order).state, desk.resource().free) == (BookingState.EXPIRED, 1)
    assert isinstance(desk.take(desk.confirm, order), Done)
    assert (desk.booking(order).state, desk.booking(order).again) == (BookingState.BOOKED, True)


def test_who_pays_after_the_seat_is_gone_is_refused(desk: _Bookings) -> None:
    desk.offer(1)
    late, _ = desk.ask()
    desk.now += 900_000
    desk.expire()
    other, _ = desk.ask()
    outcome = desk.take(desk.confirm, late)
    assert isinstance(outcome, Refused)
    desk.take(desk.release, late)
    assert isinstance(desk.take(desk.confirm, other), Done)
    assert desk.resource().booked == 1


def test_releasing_twice_changes_nothing_more(desk: _Bookings) -> None:
    desk.offer(3)
    order, _ = desk.ask(2)
    for _ in range(2):
        desk.take(desk.release, order)
    assert (desk.resource().held, desk.resource().free) == (0, 3)


def test_the_database_itself_gives_away_no_more_than_the_limit(desk: _Bookings) -> None:
    desk.offer(1)
    desk.ask()

    def cheat(tx: Any) -> None:
        resource = store.resource(tx, MERCHANT, NAME)
        assert resource is not None
        resource.held += 1
        store.keep(tx, resource)

    with pytest.raises(Exception, match="resources_within_limit"):
        desk.books.run(cheat)


class Counter(RuleBasedStateMachine):
    """A counter that sells, lets wait, expires and takes back, against the simplest model of it."""

    books: Books

    @initialize(capacity=st.integers(0, 6), overbooking=st.sampled_from([0, 20, 50]))
    def open(self, capacity: int, overbooking: int) -> None:
        self.books.clear()
        self.desk = _Bookings(self.books)
        self.desk.offer(capacity, overbooking)
        self.orders: dict[str, Order] = {}

    @rule(quantity=st.integers(1, 4), waitlist=st.booleans())
    def ask(self, quantity: int, waitlist: bool) -> None:
        resource = self.desk.resource()
        order, outcome = self.desk.ask(quantity, waitlist=waitlist)
        self.orders[order.id] = order
        room = quantity <= resource.free and not resource.waiting
        may_wait = waitlist and quantity <= resource.limit
        expected = Done if room else Awaiting if may_wait else Refused
        assert type(outcome) is expected

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), what=st.sampled_from(["release", "confirm", "overdue"]))
    def go_on(self, data: st.DataObject, what: str) -> None:
        order = self.orders[data.draw(st.sampled_from(sorted(self.orders)))]
        state = self.desk.booking(order).state
        if what == "overdue" and state in {
            BookingState.HELD,
            BookingState.WAITING,
            BookingState.EXPIRED,
        }:
            self.desk.overdue(order)
        elif what == "confirm" and state in {BookingState.HELD, BookingState.EXPIRED}:
            self.desk.take(self.desk.confirm, order)
        elif what == "release":
            self.desk.take(self.desk.release, order)

    @rule(minutes=st.integers(1, 70))
    def time_passes(self, minutes: int) -> None:
        self.desk.now += minutes * 60_000
        self.desk.expire()

    @rule(capacity=st.integers(0, 8))
    def change_aircraft(self, capacity: int) -> None:
        before = self.desk.resource()
        fits = before.held + before.booked <= limit_of(capacity, before.overbooking)
        assert self.desk.offer(capacity, before.overbooking) == fits

    @invariant()
    def everything_adds_up(self) -> None:
        if not hasattr(self, "desk"):
            return
        resource = self.desk.resource()
        all_of = [self.desk.booking(order) for order in self.orders.values()]
        for state, counted in (
            (BookingState.HELD, resource.held),
            (BookingState.BOOKED, resource.booked),
        ):
            assert counted == sum(b.quantity for b in all_of if b.state == state)
        waiting = sorted(
            (b for b in all_of if b.state == BookingState.WAITING), key=lambda b: b.number
        )
        assert resource.waiting == len(waiting)
        assert 0 <= resource.held + resource.booked <= resource.limit
        if waiting:
            assert waiting[0].quantity > resource.free


@pytest.fixture
def sqlite_books(tmp_path: Path) -> Iterator[Books]:
    opened = Books(f"sqlite:///{tmp_path / 'bookings.db'}")
    yield opened
    opened.close()


def test_any_sequence_of_events_adds_up(sqlite_books: Books) -> None:
    class Machine(Counter):
        books = sqlite_books

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_real_flights_are_read() -> None:
    with FLIGHTS.open() as lines:
        offers = list(read_resource_file(lines, overbooking=3))
    assert (len(offers), sum(offer.capacity for offer in offers)) == (696, 97_618)
    assert offers[0] == Offer(
        NAME, 149, 3, "origin EWR, destination IAH, scheduled departure 05:15"
    )


def test_hotel_nights_are_read() -> None:
    lines = [
        "hotel,date,rooms,overbooking\n",
        "Grand Hotel,2013-01-01,5,\n",
        "\n",
        "A,2013-01-02,7,10\n",
    ]
    assert list(read_resource_file(lines, 2)) == [
        Offer("hotel/Grand Hotel/2013-01-01", 5, 2),
        Offer("hotel/A/2013-01-02", 7, 10),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sku,quantity\nCD,1\n", 1),
        ("flight,date,seats\nUA1,2013-01-01\n", 2),
        ("flight,date,seats\n,2013-01-01,5\n", 2),
        ("flight,date,seats\nU/A,2013-01-01,5\n", 2),
        ("flight,date,seats\nUA1,2013-02-30,5\n", 2),
        ("flight,date,seats\nUA1,2013-01-01,-5\n", 2),
        ("flight,date,seats\nUA1,2013-01-01,1000001\n", 2),
        ("flight,date,seats,overbooking\nUA1,2013-01-01,5,101\n", 2),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, line: int) -> None:
    with pytest.raises(ResourceFileError) as raised:
        list(read_resource_file(text.splitlines(keepends=True)))
    assert raised.value.line == line
