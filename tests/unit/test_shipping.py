"""The shipping step: dispatched, awaited, confirmed; asked about when overdue; parked at last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.unit.goods_driver import ADDRESS, NOW_MS, Books, order

from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.core.errors import NotAppliedError, UnansweredError
from conveyor.core.outcome import Again, Awaiting, Done, Outcome, Park, Refused, TurnedAway
from conveyor.core.step import Now
from conveyor.flows.shop.shipping import store
from conveyor.flows.shop.shipping.messages import Delivered
from conveyor.flows.shop.shipping.model import Shipment
from conveyor.flows.shop.shipping.ports import (
    ARRIVED,
    LOST,
    CarrierAnswer,
    Dispatched,
    Parcel,
    Rejected,
)
from conveyor.flows.shop.shipping.steps import Ship, Shipped, shipping_steps

DAY = 86_400.0
ORDER = order(1, ("CD", 2), ("LP", 1))
NOW = Now(NOW_MS)


class ScriptedCarrier:
    """Remembers what it was asked; `statuses` is what it says about each key."""

    def __init__(self, *, unanswered: Iterable[int] = (), rejects: str = "") -> None:
        self.dispatched: list[tuple[str, Parcel]] = []
        self.statuses: dict[str, CarrierAnswer] = {}
        self.reachable = True
        self._unanswered = set(unanswered)
        self._rejects = rejects

    async def dispatch(self, parcel: Parcel, key: str) -> CarrierAnswer:
        if self._rejects:
            return Rejected(self._rejects)
        self.dispatched.append((key, parcel))
        taken = self.statuses.setdefault(key, Dispatched(f"T{len(self.dispatched)}"))
        if len(self.dispatched) in self._unanswered:
            raise UnansweredError
        return taken

    async def status(self, key: str) -> CarrierAnswer | None:
        if not self.reachable:
            raise UnansweredError
        return self.statuses.get(key)

    def set_state(self, key: str, state: str) -> None:
        taken = self.statuses[key]
        assert isinstance(taken, Dispatched)
        self.statuses[key] = Dispatched(taken.tracking, state)


class Journey:
    """Takes the step for one order, as the consumer would; `key` names the attempt."""

    def __init__(self, books: Books, carrier: ScriptedCarrier) -> None:
        self.books = books
        self.carrier = carrier
        step = shipping_steps(carrier, delivery_seconds=DAY, max_enquiries=2)["shipping.ship"]
        assert isinstance(step, Ship)
        self.step = step

    def ship(self, key: str, *, confirmed_meanwhile: str = "") -> Outcome:
        answer = self.call(key)
        if confirmed_meanwhile:
            self.note_delivery(confirmed_meanwhile)
        return self.record(answer)

    def call(self, key: str) -> Shipped:
        request = self.books.run(lambda tx: self.step.prepare(tx, ORDER, NOW))
        assert not isinstance(request, Outcome)
        return asyncio.run(self.step.call(request, key))

    def ask(self, key: str) -> Shipped | None:
        request = self.books.run(lambda tx: self.step.prepare(tx, ORDER, NOW))
        assert not isinstance(request, Outcome)
        return asyncio.run(self.step.ask(request, key))

    def record(self, answer: Shipped) -> Outcome:
        return self.books.run(lambda tx: self.step.record(tx, ORDER, answer, NOW))

    def note_delivery(self, tracking: str = "T1") -> None:
        self.books.run(lambda tx: store.note_delivery(tx, ORDER.id, tracking, NOW_MS + 1))

    def confirm(self, tracking: str = "T1") -> Outcome | TurnedAway:
        answer = Delivered(ORDER.id, tracking).answer
        return self.books.run(lambda tx: self.step.answered(tx, ORDER, answer, NOW))

    def miss_the_deadline(self) -> Outcome:
        return self.books.run(lambda tx: self.step.overdue(tx, ORDER, NOW))

    @property
    def state(self) -> str:
        found = self.books.run(lambda tx: store.shipment_of(tx, ORDER.id))
        assert found
        return found.state


@pytest.fixture
def journey(books: Books) -> Journey:
    return Journey(books, ScriptedCarrier())


def test_a_dispatched_shipment_is_awaited_and_its_confirmation_ends_the_step(
    journey: Journey,
) -> None:
    assert journey.ship("k1") == Awaiting("delivery", DAY, {"tracking": "T1"})
    assert journey.state == "dispatched"

    assert journey.confirm() == Done({"tracking": "T1"})
    assert journey.state == "delivered"


def test_the_carrier_learns_what_to_ship_and_where(journey: Journey) -> None:
    journey.ship("k1")

    assert journey.carrier.dispatched == [
        ("k1", Parcel(ORDER.id, ADDRESS, (("CD", 2), ("LP", 1)), replaces=""))
    ]


def test_a_confirmation_that_overtakes_the_answer_is_not_lost(journey: Journey) -> None:
    assert journey.ship("k1", confirmed_meanwhile="T1") == Done({"tracking": "T1"})
    assert journey.state == "delivered"


def test_another_parcel_that_is_confirmed_early_is_not_the_orders(journey: Journey) -> None:
    answer = journey.ship("k1", confirmed_meanwhile="T99")
    assert answer == Awaiting("delivery", DAY, {"tracking": "T1"})
    assert journey.state == "dispatched"
    assert journey.confirm() == Done({"tracking": "T1"})


def test_another_parcel_is_turned_away(journey: Journey) -> None:
    journey.ship("k1")
    journey.note_delivery("T99")
    assert journey.confirm("T99") == TurnedAway("not_its_parcel")
    assert journey.state == "dispatched"


def test_confirmations_are_harmless_twice(journey: Journey) -> None:
    journey.ship("k1")

    for _ in range(2):
        journey.note_delivery()
    assert journey.confirm() == Done({"tracking": "T1"})

    shipment = journey.books.run(lambda tx: store.shipment_of(tx, ORDER.id))
    assert shipment
    assert shipment.delivered_at == NOW_MS + 1


def test_a_rejected_parcel_is_a_refusal(books: Books) -> None:
    journey = Journey(books, ScriptedCarrier(rejects="XX is not served"))

    assert journey.ship("k1") == Refused("the carrier refused: XX is not served")
    assert journey.state == "rejected"


def test_an_unanswered_dispatch_is_found_again_and_not_repeated(books: Books) -> None:
    journey = Journey(books, ScriptedCarrier(unanswered=[1]))
    with pytest.raises(UnansweredError):
        journey.call("k1")

    answer = journey.ask("k1")

    assert answer == Shipped("k1", Dispatched("T1"))
    assert isinstance(journey.record(answer), Awaiting)
    assert len(journey.carrier.dispatched) == 1


def test_a_dispatch_that_never_arrived_is_not_found(journey: Journey) -> None:
    assert journey.ask("k1") is None


def test_an_overdue_shipment_on_its_way_is_awaited_again(journey: Journey) -> None:
    journey.ship("k1")

    assert isinstance(journey.miss_the_deadline(), Again)
    assert journey.ship("k2") == Awaiting("delivery", DAY, {"tracking": "T1"})
    assert len(journey.carrier.dispatched) == 1


def test_an_overdue_shipment_that_arrived_is_done(journey: Journey) -> None:
    journey.ship("k1")
    journey.carrier.set_state("k1", ARRIVED)

    assert isinstance(journey.miss_the_deadline(), Again)
    assert journey.ship("k2") == Done({"tracking": "T1"})
    assert journey.state == "delivered"


def test_a_lost_shipment_is_replaced_under_a_new_key(journey: Journey) -> None:
    journey.ship("k1")
    journey.carrier.set_state("k1", LOST)
    journey.miss_the_deadline()

    assert journey.ship("k2") == Awaiting("delivery", DAY, {"tracking": "T2"})

    [_, (key, parcel)] = journey.carrier.dispatched
    assert (key, parcel.replaces) == ("k2", "k1")
    journey.miss_the_deadline()
    journey.carrier.set_state("k2", ARRIVED)
    assert journey.ship("k3") == Done({"tracking": "T2"})


def test_a_shipment_that_the_carrier_knows_nothing_of_is_dispatched_again(
    journey: Journey,
) -> None:
    journey.ship("k1")
    journey.carrier.statuses.clear()
    journey.miss_the_deadline()

    assert journey.ship("k2") == Awaiting("delivery", DAY, {"tracking": "T2"})


def test_a_confirmation_during_an_enquiry_ends_it_without_asking(journey: Journey) -> None:
    journey.ship("k1")
    journey.miss_the_deadline()
    journey.note_delivery()
    journey.carrier.reachable = False

    assert journey.ship("k2") == Done({"tracking": "T1"})


def test_an_enquiry_without_an_answer_has_certainly_changed_nothing(journey: Journey) -> None:
    journey.ship("k1")
    journey.miss_the_deadline()
    journey.carrier.reachable = False

    with pytest.raises(NotAppliedError):
        journey.call("k2")
    assert journey.state == "dispatched"


def test_after_the_last_enquiry_the_order_is_parked_and_a_redrive_starts_afresh(
    journey: Journey,
) -> None:
    journey.ship("k1")
    kinds = []
    for attempt in range(2, 8):
        kinds.append(type(journey.miss_the_deadline()))
        journey.ship(f"k{attempt}")

    assert kinds == [Again, Again, Park] * 2
    assert len(journey.carrier.dispatched) == 1


def test_a_deadline_after_the_confirmation_finds_it_done(journey: Journey) -> None:
    journey.ship("k1")
    journey.note_delivery()

    assert journey.miss_the_deadline() == Done({"tracking": "T1"})


def test_no_outcome_says_who_or_where(journey: Journey) -> None:
    outcomes = [journey.ship("k1"), journey.miss_the_deadline(), journey.confirm()]

    said = repr(outcomes)
    assert not [value for value in ADDRESS.values() if f"'{value}'" in said]


def test_preparing_again_writes_the_shipment_once(journey: Journey) -> None:
    for _ in range(3):
        journey.books.run(lambda tx: journey.step.prepare(tx, ORDER, NOW))

    count = sa.select(sa.func.count()).select_from(store.shipments)
    assert journey.books.run(lambda tx: tx.execute(count).scalar()) == 1


def test_a_confirmation_in_the_same_commit_sees_what_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "conveyor.db"
    books = Books(f"sqlite:///{path}")
    journey = Journey(books, ScriptedCarrier())
    answer = journey.call("k1")
    books.close()

    async def main() -> Shipment | None:
        database = SqliteDatabase(path)
        recording = database.run(lambda tx: journey.step.record(tx, ORDER, answer, NOW))
        looking = database.run(lambda tx: store.shipment_of(tx, ORDER.id))
        _, seen = await asyncio.gather(recording, looking)
        await database.close()
        return seen

    seen = asyncio.run(main())
    assert seen
    assert (seen.state, seen.tracking) == ("dispatched", "T1")
