"""When a step raises: the attempt is noted and the message comes back, or the order is parked.

And when its time has not come: it is nobody's fault, and the order is owed its token anew.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core import outbox, timeline
from conveyor.core.applying_outcomes import apply_outcome
from conveyor.core.disposition import Disposition, Faulted, Handled, Held, Waiting
from conveyor.core.group_context import GroupContext
from conveyor.core.moving import move_order
from conveyor.core.order import Order
from conveyor.core.outbox import OwedToken
from conveyor.core.outcome import Outcome
from conveyor.core.parking import park
from conveyor.core.place import place_of
from conveyor.core.providers import Provider
from conveyor.core.routing_slip import service_of
from conveyor.core.tables import orders
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.core.turns import Turn

_EXPECT = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("b_id"))
    .values(expected_at=sa.bindparam("b_expected_at"))
)


Faults = Mapping[tuple[str, int], int]


def faults_of(tx: Tx, received: Sequence[tuple[Order, int]]) -> Faults:
    """Count the faults on record of these orders, each with how often its message was received.

    There are none while an order expects what it was owed when it moved, and its message comes for
    the first time; else there may be some, whose message was another one.
    """
    may_have = {o.id for o, count in received if count > 1 or o.expected_at != o.updated_at}
    return timeline.faults(tx, sorted(may_have))


def tries(known: Faults, order: Order, receive_count: int) -> tuple[int, int, bool]:
    """Give which try this is, of how many receives no fault is on record, and whether it rides.

    A try counts by its fault, whatever the queue has counted: a receive may be nobody's fault.
    What rides came without a message, so that none was received.
    """
    faults = known.get((order.id, order.version), 0)
    return faults + 1, receive_count - faults, receive_count == 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One order's turn in a group: the step it is to take, and which try at it this is.

    `traceless`: receives of its message, this one too, of which no fault is on record.
    `rides`: it came without a message, that could be given back.
    """

    tx: Tx
    context: GroupContext
    order: Order
    step: str
    attempt: int
    traceless: int = 1
    rides: bool = False

    def guard(self, work: Callable[[], Disposition]) -> Disposition:
        """Run the order's work; in an isolated group, a raise becomes this order's fault.

        What the database is to blame for is nobody's: then the whole group is run again.
        """
        if not self.context.isolate:
            return work()
        try:
            with self.tx.savepoint():
                return work()
        except Exception as error:
            if self.tx.unable(error):
                raise
            return self.fault(error)  # a bug in one order's step is its own fault

    def apply(self, outcome: Outcome) -> None:
        """Let the order go on as its step decided."""
        apply_outcome(
            self.tx,
            self.context.registry,
            self.order,
            outcome,
            self.context.now,
            attempt=self.attempt,
            by_queue=not self.rides,
        )

    def note(self, event: TimelineEvent, detail: dict[str, str] | None = None) -> None:
        """Write a line of the order's timeline."""
        timeline.note(
            self.tx,
            self.order.id,
            self.order.version,
            self.context.now.ms,
            event,
            step=self.step,
            attempt=self.attempt,
            detail=detail,
        )

    def fault(
        self,
        error: Exception,
        event: TimelineEvent = TimelineEvent.FAULT,
        *,
        last_try: bool = False,
    ) -> Disposition:
        """Let the message come back after a rest; park the order when that was the last try.

        An order whose flow is not installed here is never parked: nobody knows where it is.
        """
        cause = f"{type(error).__name__}: {error}"
        self.note(event, {"cause": cause})
        known = self.order.flow in self.context.registry.flows
        if known and (last_try or self.context.retries.exhausted(self.attempt)):
            return self.park(cause, "".join(traceback.format_exception(error)))
        rest = self.context.retries.rest_seconds(self.attempt, self.context.random)
        due_at = self.context.now.ms + rest * 1000
        if self.rides:
            self._owe_again(due_at)
        else:
            self.expect(due_at)
        return Faulted(rest)

    def hold(self, due_at: int) -> Disposition:
        """Its time has not come: owe the order the same token again, at that time."""
        self._owe_again(due_at)
        return Held()

    def wait_for(self, provider: Provider, cause: str = "") -> Waiting:
        """Its provider is paused: owe the order the same token again, once that may have changed.

        That costs no try, and is told once, but for a call of its own that failed meanwhile.
        """
        order_id, breaker = self.order.id, provider.breaker
        if cause or order_id not in breaker.waiting:
            told = {"provider": provider.name, "cause": cause, "why": breaker.why}
            self.note(TimelineEvent.WAITING, told)
        rest_ms = round(breaker.wait_seconds(order_id, self.context.begun) * 1000)
        self._owe_again(self.context.now.ms + rest_ms, provider.name)
        return Waiting(order_id, breaker)

    def _owe_again(self, due_at: int, waits_for: str = "") -> None:
        order = self.order
        token = OwedToken(
            order.id,
            order.version,
            service_of(self.step),
            self.step,
            Turn(order.group_key, order.sequence),
            due_at,
            now=False,
            held=True,
            waits_for=waits_for,
        )
        outbox.put(self.tx, token)
        self.expect(due_at)

    def expect(self, at_ms: int) -> None:
        """Tell the reconciler when the order's token is to be seen again."""
        self.tx.later(_EXPECT, {"b_id": self.order.id, "b_expected_at": at_ms})

    def park(self, cause: str, trace: str = "") -> Disposition:
        """Stop the order here until an operator decides."""
        order, now = self.order, self.context.now
        park(
            self.tx,
            order,
            now,
            step=self.step,
            cause=cause,
            attempts=self.attempt,
            traceback=trace,
        )
        self.note(TimelineEvent.PARKED, {"cause": cause})
        place = place_of(order)
        move_order(self.tx, self.context.registry, order, place, now, parking=True)
        return Handled(parked=True)
