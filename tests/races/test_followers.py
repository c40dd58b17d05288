"""A follower of an order's story misses nothing: whoever writes to it holds the order's lock.

PostgreSQL numbers an entry when it is written, and shows it when it is committed: two writers side
by side could commit in the other order, and who has seen the higher number never asks for less.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.races.travellers import TERMS, Travellers, offer
from tests.unit.goods_driver import NOW_MS, Books

from conveyor.core import timeline
from conveyor.core.order import load
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.flows.travel.bookings import granting

MUCH_LATER = NOW_MS + 10_000_000


@pytest.fixture
def books(postgres_books: Books) -> Books:
    postgres_books.clear()
    return postgres_books


class Follower:
    """Whoever reads what is new of an order, again and again."""

    def __init__(self, books: Books, order_id: str) -> None:
        self.books, self.order_id = books, order_id
        self.told: list[timeline.Entry] = []
        self._after = 0

    def look(self) -> None:
        new = self.books.run(lambda tx: timeline.since(tx, self.order_id, self._after, 100))
        self.told += [entry for _, entry in new]
        self._after = max([number for number, _ in new], default=self._after)

    def check(self) -> list[Any]:
        """Nothing of the story was missed; gives what was told of it."""
        self.look()
        assert self.told == self.books.run(lambda tx: timeline.of_order(tx, self.order_id))
        return [entry.detail for entry in self.told]


def drop_a_copy(tx: Tx, order_id: str) -> None:
    """Do what a late copy of a token does: it holds the order, and its story says so."""
    order = load(tx, [order_id])[order_id]
    timeline.note(tx, order_id, order.version, NOW_MS, TimelineEvent.DUPLICATE_DROPPED)


def test_what_happens_while_a_place_comes_free_is_told(books: Books) -> None:
    travellers = Travellers(books)
    waiting = travellers.ids[1]
    follower = Follower(books, waiting)
    with books.tx() as granting_it:
        with books.tx() as dropping:
            drop_a_copy(dropping, waiting)
            offer(granting_it, 2)
            granting_it.flush()
        follower.look()
    follower.check()


def test_who_is_given_a_place_is_told_so(books: Books) -> None:
    travellers = Travellers(books)
    waiting = travellers.ids[1]
    travellers.offer(2)
    travellers.undo(waiting)  # it takes whatever it is owed, to its end
    assert any("a place came free" in detail for detail in Follower(books, waiting).check())


def test_what_happens_while_a_hold_expires_is_told(books: Books) -> None:
    travellers = Travellers(books)
    held = travellers.ids[0]
    follower = Follower(books, held)
    with books.tx() as expiring:
        with books.tx() as dropping:
            drop_a_copy(dropping, held)
            granting.expire(expiring, TERMS, MUCH_LATER)
            expiring.flush()
        follower.look()
    books.run(lambda tx: granting.expire(tx, TERMS, MUCH_LATER))
    assert any("expired" in detail for detail in follower.check())
