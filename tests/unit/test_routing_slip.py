"""Where an order goes next, as tables: a slip of five steps, read from top to bottom and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conveyor.core.routing_slip import (
    Fee,
    Flow,
    Place,
    Step,
    advance,
    begin,
    refunding,
    step_at,
    turn_back,
    undone_by,
)

FLOW = Flow(
    name="table",
    version=3,
    steps=(
        Step("seats.hold", undo="seats.release", each="legs"),
        Step("cards.authorize", undo="cards.void"),
        Step("desk.look"),  # nothing undoes a look
        Step("cards.capture", undo="cards.refund"),
        Step("orders.complete"),
    ),
    cancel_until="cards.capture",
    fee=Fee(after="cards.authorize", per_cent=50),
    pivot="cards.capture",
)
LEGS = 2
BACK, REFUNDED = "refused", "refunded"


@pytest.mark.parametrize(
    ("place", "owed", "after"),
    [
        # forward: a step with members is taken once for each
        (Place(0), "seats.hold", Place(0, stage=1)),
        (Place(0, stage=1), "seats.hold", Place(1)),
        (Place(1), "cards.authorize", Place(2)),
        (Place(2), "desk.look", Place(3)),
        (Place(3), "cards.capture", Place(4)),
        (Place(4), "orders.complete", Place(5)),
        # back: each compensation leads to that of the step before which has one
        (Place(3, BACK), "cards.refund", Place(1, BACK)),
        (Place(1, BACK), "cards.void", Place(0, BACK)),
        (Place(0, BACK), "seats.release", Place(-1, BACK)),
    ],
)
def test_what_is_owed_at_a_place_and_what_comes_after_it(
    place: Place, owed: str, after: Place
) -> None:
    assert step_at(FLOW, place) == owed
    members = LEGS if owed == "seats.hold" else 1
    assert advance(FLOW, place, members) == after


@pytest.mark.parametrize("end", [Place(5), Place(-1, BACK)])
def test_at_its_end_an_order_is_owed_nothing(end: Place) -> None:
    assert step_at(FLOW, end) == ""


@pytest.mark.parametrize(
    ("place", "turns_to", "undoes"),
    [
        # What is owed has not been taken: only what is before it is undone.
        (Place(0), -1, ()),
        (Place(1), 0, ("seats.release",)),
        (Place(2), 1, ("cards.void", "seats.release")),
        (Place(3), 1, ("cards.void", "seats.release")),
        (Place(4), 3, ("cards.refund", "cards.void", "seats.release")),
        # It has begun, and may have had an effect: it is undone as well.
        (begin(Place(1)), 1, ("cards.void", "seats.release")),
        (begin(Place(2)), 1, ("cards.void", "seats.release")),
        # It was taken for the first of its members: it is undone as a whole.
        (Place(0, stage=1), 0, ("seats.release",)),
    ],
)
def test_where_an_order_turns_back_to_and_what_is_undone(
    place: Place, turns_to: int, undoes: tuple[str, ...]
) -> None:
    assert turn_back(FLOW, place, BACK) == Place(turns_to, BACK)
    assert undone_by(FLOW, place) == undoes


@pytest.mark.parametrize(
    ("place", "undoes"),
    [
        (Place(3, BACK), ("cards.refund", "cards.void", "seats.release")),
        (Place(0, BACK), ("seats.release",)),
        (Place(-1, BACK), ()),
        (Place(3, REFUNDED), ("cards.refund",)),
        (Place(-1, REFUNDED), ()),
    ],
)
def test_what_is_left_to_undo_of_an_order_that_goes_back(
    place: Place, undoes: tuple[str, ...]
) -> None:
    assert undone_by(FLOW, place) == undoes


def test_a_refund_is_one_compensation_and_then_the_end() -> None:
    there = refunding(FLOW, "cards.refund")
    assert there == Place(3, REFUNDED)
    assert step_at(FLOW, there) == "cards.refund"
    assert advance(FLOW, there) == Place(-1, REFUNDED)
    assert refunding(FLOW, "cards.forget") is None


def test_of_several_lines_a_refund_takes_the_last() -> None:
    twice = replace(FLOW, steps=(*FLOW.steps, Step("cards.capture", undo="cards.refund")))
    assert refunding(twice, "cards.refund") == Place(5, REFUNDED)


@pytest.mark.parametrize(
    ("position", "fee", "past_pivot"),
    [(0, 0, False), (1, 0, False), (2, 500, False), (3, 500, False), (4, 500, True)],
)
def test_what_cancelling_costs_and_when_nothing_can_be_taken_back(
    position: int, fee: int, past_pivot: bool
) -> None:
    assert FLOW.fee_of(Place(position), 1_001) == fee
    assert FLOW.is_past_pivot(Place(position)) is past_pivot
    assert not FLOW.is_past_pivot(Place(position, BACK))


def test_it_is_known_by_its_name_and_version_and_cancelled_until_a_step() -> None:
    assert FLOW.key == "table@3"
    assert FLOW.last_cancellable == 3


def test_begun_is_the_same_place() -> None:
    assert begin(Place(1)) == Place(1)
    assert begin(Place(1)).begun
    assert not begin(Place(1, BACK)).begun
