"""Riders of two merchants may have one name: neither sees what the other carries."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.goods_driver import NOW_MS, Books

from conveyor.core.transaction import Tx
from conveyor.flows.food.riders import store
from conveyor.flows.food.riders.model import Offer, OfferState, Point, Rider

PLACE = (52.0, 13.0)


def rider(merchant: str) -> Rider:
    return Rider(merchant, "r-1", *PLACE, NOW_MS * 2, capacity=3, load=0, heard_at=0, simulated="")


def offer(merchant: str, order_id: str, at_ms: int = NOW_MS) -> Offer:
    return Offer(
        order_id=order_id,
        rider="r-1",
        merchant=merchant,
        number=1,
        state=OfferState.OPEN,
        metres=100,
        offered_at=at_ms,
        answer_by=at_ms + 45_000,
        changed_at=at_ms,
    )


def carried(tx: Tx, merchant: str) -> list[str]:
    return [one.order_id for one in store.rides_of(tx, merchant, "r-1", limit=10)]


def test_a_rider_sees_the_rides_of_the_riders_own_merchant_alone(books: Books) -> None:
    def work(tx: Tx) -> None:
        for merchant in ("ours", "theirs"):
            assert store.put(tx, rider(merchant))
            assert store.make(tx, offer(merchant, f"order of {merchant}"), NOW_MS)
        for merchant in ("ours", "theirs"):
            assert carried(tx, merchant) == [f"order of {merchant}"]
            found = store.find(tx, merchant, "r-1")
            assert found is not None
            assert found.load == 1
        assert carried(tx, "nobody") == []

    books.run(work)


def test_a_load_is_that_of_the_merchants_own_rider(books: Books) -> None:
    def work(tx: Tx) -> None:
        for merchant in ("ours", "theirs"):
            store.put(tx, rider(merchant))
        made = offer("ours", "one")
        assert store.make(tx, made, NOW_MS)
        assert [_load(tx, merchant) for merchant in ("ours", "theirs")] == [1, 0]
        assert store.move(tx, "ours", "r-1", Point(1.0, 2.0), NOW_MS)
        theirs = store.find(tx, "theirs", "r-1")
        assert theirs is not None
        assert (theirs.latitude, theirs.longitude) == PLACE
        assert store.change(tx, made, OfferState.DECLINED, NOW_MS)
        assert [_load(tx, merchant) for merchant in ("ours", "theirs")] == [0, 0]

    books.run(work)


def test_an_offer_changes_once_from_the_state_that_it_was_read_in(books: Books) -> None:
    def work(tx: Tx) -> None:
        store.put(tx, rider("ours"))
        made = offer("ours", "one")
        store.make(tx, made, NOW_MS)
        assert store.change(tx, made, OfferState.ACCEPTED, NOW_MS)
        assert not store.change(tx, made, OfferState.DECLINED, NOW_MS)
        assert carried(tx, "ours") == ["one"]

    books.run(work)


@pytest.mark.parametrize(("capacity", "possible"), [(1, False), (2, True), (3, True)])
def test_a_rider_can_be_changed_to_carry_no_more_than_now(
    books: Books, capacity: int, *, possible: bool
) -> None:
    def work(tx: Tx) -> None:
        store.put(tx, rider("ours"))
        for order_id in ("one", "two"):
            assert store.make(tx, offer("ours", order_id), NOW_MS)
        changed = replace(rider("ours"), capacity=capacity, latitude=1.0)
        assert store.put(tx, changed) is possible
        found = store.find(tx, "ours", "r-1")
        assert found is not None
        assert (found.load, found.latitude) == (2, 1.0 if possible else PLACE[0])

    books.run(work)


def _load(tx: Tx, merchant: str) -> int:
    found = store.find(tx, merchant, "r-1")
    assert found is not None
    return found.load
