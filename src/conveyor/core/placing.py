"""How an order enters: row, first token and first timeline entry, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core import outbox, timeline
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.outbox import OwedToken
from conveyor.core.placed_counts import count_one
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Flow, service_of
from conveyor.core.step import Now
from conveyor.core.tables import orders
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.tracing import OrderPlaced, SpanContext
from conveyor.core.transaction import Tx
from conveyor.core.turns import next_turn, write_turn

FIRST_VERSION = 1
_INSERT = sa.insert(orders)


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order that has been validated. `body` is JSON text; `total` is in minor units.

    `span` is its place in a trace, `asked` the span in which somebody asked for it.
    """

    id: str
    merchant: str
    flow: Flow
    reference: str
    customer: str
    currency: str
    total: int
    body: str
    span: SpanContext | None = None
    asked: SpanContext | None = None


def place(
    tx: Tx, registry: Registry, new: NewOrder, now: Now, key: str = "", *, after: str = ""
) -> None:
    """Write the order, and owe its first token.

    `key` is the idempotency key that it is placed with, '' for none. `after` is an order that was
    placed before it, by this transaction or one that is committed, '' for none: should that vanish
    with all that is its own, this one still names it.
    """
    first = new.flow.steps[0].name
    order = _as_it_begins(new, now)
    turn = next_turn(tx, registry, first, order)
    row = order._asdict()
    row |= {"body": row.pop("raw_body"), "group_key": turn.group_key}
    write_turn(tx, turn, row, "sequence")
    tx.later(_INSERT, row)
    owed = OwedToken(new.id, FIRST_VERSION, service_of(first), first, turn, now.ms, fresh=True)
    if order.traceparent:
        owed = owed._replace(traceparent=order.traceparent)
        tx.measure(OrderPlaced(order.traceparent, new.asked, new.id, order.flow, now.ms))
    outbox.put(tx, owed)
    detail = {name: said for name, said in ((timeline.KEY, key), (timeline.AFTER, after)) if said}
    timeline.note(tx, new.id, FIRST_VERSION, now.ms, TimelineEvent.PLACED, detail=detail)
    count_one(tx)


def _as_it_begins(new: NewOrder, now: Now) -> Order:
    return Order(
        id=new.id,
        merchant=new.merchant,
        flow=new.flow.key,
        reference=new.reference,
        customer=new.customer,
        currency=new.currency,
        total=new.total,
        raw_body=new.body,
        version=FIRST_VERSION,
        status=OrderStatus.PROCESSING,
        position=0,
        ending="",
        reason="",
        cancelling=False,
        group_key="",
        expected_at=now.ms,
        placed_at=now.ms,
        updated_at=now.ms,
        settled_at=None,
        traceparent=new.span.traceparent if new.span else None,
    )
