"""A gate that people pass one after the other: the smallest flow on a FIFO queue."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from tests.unit.goods_driver import NOW_MS, Books

from conveyor.core import outbox as outbox_module
from conveyor.core.disposition import Disposition
from conveyor.core.group_context import GroupContext
from conveyor.core.in_hand import InHand
from conveyor.core.message import Token
from conveyor.core.order import Order, load
from conveyor.core.outbox import OwedToken
from conveyor.core.outcome import Awaiting, Done, Outcome, Park
from conveyor.core.placing import NewOrder, place
from conveyor.core.providers import Providers
from conveyor.core.queue import QueueSpec, Received
from conveyor.core.registry import Registry
from conveyor.core.retries import RetryPolicy
from conveyor.core.routing_slip import Flow, Step
from conveyor.core.step import LocalStep, Now
from conveyor.core.tables import outbox
from conveyor.core.taking_tokens import take_tokens
from conveyor.core.transaction import Tx

FLOW = Flow("gate", 1, (Step("gate.pass"), Step("desk.close")), cancel_until="gate.pass")
RETRIES = RetryPolicy(max_receives=3)


class BrokenGateError(Exception):
    """What the gate raises for those who break it."""


class Gate(LocalStep):
    """Lets orders pass; what is different about one, its reference says: wait, park, break."""

    def __init__(self) -> None:
        super().__init__(self.let_through)
        self.broken = True

    def group(self, order: Order) -> str:
        return order.customer

    def let_through(self, _tx: Tx, order: Order, _now: Now) -> Outcome:
        if order.reference == "wait":
            return Awaiting("the key", 3600)
        if order.reference == "park" and self.broken:
            return Park("stuck in the gate")
        if order.reference == "break" and self.broken:
            raise BrokenGateError
        return Done({"turn": order.sequence})

    def overdue(self, _tx: Tx, _order: Order, _now: Now) -> Outcome:
        return Done()


def close(_tx: Tx, _order: Order, _now: Now) -> Outcome:
    return Done()


class Line:
    """Orders that stand in line, in a database of their own."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.gate = Gate()
        self.now = NOW_MS
        self.owed: list[OwedToken] = []
        """What was to be sent after the last batch."""
        self.registry = Registry(
            [FLOW],
            {"gate.pass": self.gate, "desk.close": LocalStep(close)},
            [QueueSpec("gate", fifo=True), QueueSpec("desk")],
        )

    def come(self, *people: str, doing: str = "", first: int = 1) -> list[OwedToken]:
        """Place an order for each, in one transaction; each stands in the line of that name."""
        numbered = list(enumerate(people, start=first))
        return self.books.run(lambda tx: [self._place(tx, n, name, doing) for n, name in numbered])

    def take(
        self, *owed: OwedToken, isolate: bool = False, receive_count: int = 1
    ) -> list[Disposition]:
        """Handle these tokens as one batch."""
        message = Received("", "r", "m", receive_count, NOW_MS, NOW_MS)
        taken = [InHand(Token(o.order_id, o.step, o.version), "r", message) for o in owed]
        rng, now = random.Random(1), Now(self.now)
        context = GroupContext(
            self.registry, RETRIES, rng, now, isolate=isolate, providers=Providers(rng)
        )

        def work(tx: Tx) -> list[Disposition]:
            left = take_tokens(tx, context, taken)
            self.owed = left.owed
            return left.result

        return self.books.run(work)

    def kinds(self, *owed: OwedToken, **how: Any) -> list[str]:
        """The same, by what they are counted as."""
        return [disposition.counted_as for disposition in self.take(*owed, **how)]

    def orders(self, owed: Sequence[OwedToken]) -> list[Order]:
        ids = [o.order_id for o in owed]
        loaded = self.books.run(lambda tx: load(tx, ids))
        return [loaded[i] for i in ids]

    def row(self, owed: OwedToken) -> Any:
        """The order's row of the outbox."""
        query = sa.select(outbox).where(outbox.c.order_id == owed.order_id)
        return self.books.run(lambda tx: tx.execute(query).one_or_none())

    def sweep(self) -> list[OwedToken]:
        """What a sweeper would send now."""
        found = self.books.run(lambda tx: outbox_module.claim_due(tx, self.now))
        return [o for o in found if o.queue == "gate"]

    def _place(self, tx: Tx, number: int, name: str, doing: str) -> OwedToken:
        new = NewOrder(f"{number:026d}", "m", FLOW, doing, name, "USD", 0, "{}")
        place(tx, self.registry, new, Now(self.now))
        [owed] = tx.leave(None).owed
        return owed


def version(owed: OwedToken, number: int) -> OwedToken:
    """The same order's token of another version."""
    return owed._replace(version=number)
