"""Journeys that wait for the one seat of a flight, on a real PostgreSQL."""

from __future__ import annotations

from collections import Counter
from functools import partial

import orjson
import sqlalchemy as sa
from tests.races.contexts import context_of
from tests.unit.goods_driver import MERCHANT, NOW_MS, Books

from conveyor.core.in_hand import InHand
from conveyor.core.message import Token
from conveyor.core.order import load
from conveyor.core.outbox import OwedToken
from conveyor.core.outcome import Done
from conveyor.core.placing import NewOrder, place
from conveyor.core.queue import QueueSpec, Received
from conveyor.core.registry import Registry
from conveyor.core.step import LocalStep, Now
from conveyor.core.tables import outbox
from conveyor.core.taking_tokens import take_tokens
from conveyor.core.transaction import Tx
from conveyor.core.turns import NO_TURN
from conveyor.flows import TRAVEL
from conveyor.flows.travel.bookings import granting, store
from conveyor.flows.travel.bookings.model import Offer, Terms
from conveyor.flows.travel.bookings.steps import booking_steps
from conveyor.flows.travel.bookings.tables import bookings

TERMS = Terms(hold_seconds=900.0, wait_seconds=3_600.0)
FLIGHT = "flight/UA1545/2013-01-01"
NOW = Now(NOW_MS)
PAID = LocalStep(lambda _tx, _order, _now: Done())
PLAIN = ("payments.authorize", "payments.void", "payments.capture", "payments.refund")
REGISTRY = Registry(
    [TRAVEL],
    {**booking_steps(TERMS), **dict.fromkeys((*PLAIN, "orders.complete"), PAID)},
    [QueueSpec("bookings", fifo=True), QueueSpec("payments"), QueueSpec("orders")],
)


class Travellers:
    """Journeys that wait for the one seat of a flight."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.offer(1)
        self.ids = [f"{number:026d}" for number in range(4)]
        for order_id in self.ids:
            self.take(books.run(partial(self._place, order_id)))

    def offer(self, seats: int) -> None:
        self.books.run(lambda tx: offer(tx, seats))

    def take(self, *owed: OwedToken) -> None:
        message = Received("", "r", "m", 1, 0, 0)
        taken = [InHand(Token(o.order_id, o.step, o.version), "r", message) for o in owed]
        context = context_of(REGISTRY, NOW)
        self.books.run(lambda tx: take_tokens(tx, context, taken))

    def undo(self, order_id: str) -> None:
        """Take what this order is owed, until it is owed nothing."""
        query = sa.select(outbox).where(outbox.c.order_id == order_id)
        while row := self.books.run(lambda tx: tx.execute(query).one_or_none()):
            self.take(
                OwedToken(row.order_id, row.version, row.queue, row.step, NO_TURN, row.due_at)
            )

    def check(self) -> None:
        """The resource's counts are those of its bookings, and no seat is free while one waits."""
        found = self.books.run(lambda tx: store.find(tx, MERCHANT, FLIGHT))
        rows = self.books.run(lambda tx: tx.execute(sa.select(bookings)).all())
        counts = Counter(row.state for row in rows)
        assert found is not None
        assert (found.held, found.booked, found.waiting) == (
            counts["held"],
            counts["booked"],
            counts["waiting"],
        ), counts
        assert not (found.free and found.waiting)
        live = self.books.run(lambda tx: load(tx, self.ids, lock=False))
        for row in rows:
            over = live[row.order_id].settled_at is not None
            assert not (over and row.state in {"held", "waiting"}), row

    def _place(self, order_id: str, tx: Tx) -> OwedToken:
        legs = [{"flight": "UA1545", "date": "2013-01-01", "quantity": 1}]
        body = orjson.dumps({"legs": legs, "waitlist": True}).decode()
        new = NewOrder(order_id, MERCHANT, TRAVEL, "", "c", "USD", 100, body)
        place(tx, REGISTRY, new, NOW)
        [owed] = tx.leave(None).owed
        return owed


def offer(tx: Tx, seats: int) -> None:
    granting.offer(tx, MERCHANT, [Offer(FLIGHT, seats)], TERMS, NOW_MS)
