"""An operator lets a waiting order have its next try now.

Only the time changes at which it is owed its token. Whoever takes that decides as at any other
time: a call of which nobody knows what became is asked about first, and a copy of the token that
still rests in a queue finds another version, or the same call.
"""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.core import outbox, timeline
from conveyor.core.actor import NOBODY, Actor
from conveyor.core.group_order import before
from conveyor.core.interventions import Decision, Intervention
from conveyor.core.order import Order, load
from conveyor.core.order_status import OrderStatus
from conveyor.core.outbox import OwedToken
from conveyor.core.place import due_step
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import service_of
from conveyor.core.step import Now
from conveyor.core.tables import orders
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.core.turns import NO_TURN, Turn

_EXPECT = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("b_id"), orders.c.version == sa.bindparam("b_version"))
    .values(expected_at=sa.bindparam("b_expected_at"))
)
_ON_ITS_WAY = frozenset({OrderStatus.PROCESSING, OrderStatus.COMPENSATING})


def is_waiting(tx: Tx, order: Order, now_ms: int) -> bool:
    """Whether an order rests until its next try, and for nothing else.

    One that awaits an answer from outside does not: its deadline is part of what it was promised.
    """
    return order.status in _ON_ITS_WAY and order.expected_at > now_ms and before(tx, order) is None


def retry(
    tx: Tx, registry: Registry, order_id: str, now: Now, *, by: Actor = NOBODY
) -> Intervention:
    """Let a waiting order take the step that it is owed now."""
    order = load(tx, [order_id]).get(order_id)
    if order is None:
        return Intervention(Decision.NOT_FOUND)
    registry.flow(order.flow)  # raises where it is not installed: nobody knows what is owed
    if not is_waiting(tx, order, now.ms):
        return Intervention(Decision.NOT_WAITING)
    step = due_step(registry.flows, order)
    outbox.put(tx, _due_now(registry, order, step, now))
    tx.later(_EXPECT, {"b_id": order.id, "b_version": order.version, "b_expected_at": now.ms})
    told = {name: fact for name, fact in {"why": by.why, **by.facts}.items() if fact != ""}
    event = TimelineEvent.RETRIED
    timeline.note(tx, order.id, order.version, now.ms, event, step=step, detail=told)
    return Intervention(Decision.ACCEPTED, status=order.status)


def _due_now(registry: Registry, order: Order, step: str, now: Now) -> OwedToken:
    # A FIFO queue gives nothing of a group of which a message rests, as that of this order may do.
    # So this one is in a group of its own: the order's row says whose turn it is.
    queue = registry.queues[service_of(step)]
    turn = Turn(f"{order.id}.{now.ms}") if queue.fifo else NO_TURN
    of = order.traceparent
    return OwedToken(order.id, order.version, queue.name, step, turn, now.ms, traceparent=of)
