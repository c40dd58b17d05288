"""What is decided on is read under its lock: two connections to a real PostgreSQL, interleaved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.races.contexts import context_of
from tests.races.travellers import NOW, REGISTRY, Travellers, offer
from tests.races.two_connections import beside
from tests.unit.goods_driver import MERCHANT, Books

from conveyor.core import interventions
from conveyor.core.applying_outcomes import apply_outcome
from conveyor.core.delivery import Delivery
from conveyor.core.order import load
from conveyor.core.outcome import Refused
from conveyor.core.step import Now
from conveyor.core.transaction import Tx
from conveyor.flows.travel.bookings import store
from conveyor.operations import decisions
from conveyor.operations.decisions import NotCancelled


@pytest.fixture
def books(postgres_books: Books) -> Books:
    postgres_books.clear()
    return postgres_books


class Desktop:
    """As much of an engine as a decision needs, in a transaction that has begun."""

    registry = REGISTRY

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.database = self.relay = self

    def now(self) -> Now:
        return NOW

    async def run(self, work: Callable[[Tx], Any]) -> Any:
        return work(self._tx)

    commit = run


def test_who_cancels_while_given_a_seat_gives_it_on(books: Books) -> None:
    travellers = Travellers(books)
    _, waiting, following, _ = travellers.ids
    beside(
        books,
        lambda tx: offer(tx, 2),
        lambda tx: interventions.cancel(tx, REGISTRY, waiting, NOW, "changed my mind"),
    )
    travellers.undo(waiting)
    travellers.check()
    mine = books.run(lambda tx: dict(store.bookings_of(tx, following)))
    assert mine[0].state == "held"


def test_who_cancels_what_is_being_refused_is_told_so(books: Books) -> None:
    travellers = Travellers(books)
    waiting = travellers.ids[-1]

    def refuse(tx: Tx) -> None:
        order = load(tx, [waiting])[waiting]
        delivery = Delivery(tx, context_of(REGISTRY, NOW), order, "bookings.hold")
        apply_outcome(delivery, Refused("no room"))
        tx.flush()

    def cancel(tx: Tx) -> object:
        engine: Any = Desktop(tx)
        return asyncio.run(decisions.cancel(engine, waiting, MERCHANT, "changed my mind"))

    said = beside(books, refuse, cancel)
    assert isinstance(said, NotCancelled), said
