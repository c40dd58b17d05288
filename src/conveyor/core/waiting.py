"""When an order's time has not come: that is nobody's fault, and it is owed its token anew."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.core import outbox
from conveyor.core.delivery import Delivery
from conveyor.core.disposition import HELD, Delete, Disposition
from conveyor.core.outbox import OwedToken
from conveyor.core.providers import Provider
from conveyor.core.routing_slip import service_of
from conveyor.core.tables import orders
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.turns import Turn

_EXPECT = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("b_id"))
    .values(expected_at=sa.bindparam("b_expected_at"))
)


def hold(delivery: Delivery, due_at: int) -> Disposition:
    """Owe the order the same token again, at that time."""
    owe_again(delivery, due_at)
    delivery.trace(HELD.counted_as)
    return HELD


def wait_for(delivery: Delivery, provider: Provider, cause: str = "") -> Delete:
    """Its provider is paused: owe the order the same token again, once that may have changed.

    That costs no try, and is told once, but for a call of its own that failed meanwhile.
    """
    order_id, breaker, context = delivery.order.id, provider.breaker, delivery.context
    if cause or order_id not in breaker.waiting:
        told = {"provider": provider.name, "cause": cause, "why": breaker.why}
        delivery.note(TimelineEvent.WAITING, told)
    rest_ms = round(breaker.wait_seconds(order_id, context.begun) * 1000)
    owe_again(delivery, context.now.ms + rest_ms, provider.name)
    waiting = Delete("waiting", waits_for=breaker)
    delivery.trace(waiting.counted_as)
    return waiting


def owe_again(delivery: Delivery, due_at: int, waits_for: str = "") -> None:
    """Owe the token in our hands once more, at that time, whoever has had a copy of it."""
    order, step = delivery.order, delivery.step
    token = OwedToken(
        order.id,
        order.version,
        service_of(step),
        step,
        Turn(order.group_key, order.sequence),
        due_at,
        now=False,
        held=True,
        waits_for=waits_for,
    )
    outbox.put(delivery.tx, token)
    expect(delivery, due_at)


def expect(delivery: Delivery, at_ms: int) -> None:
    """Tell the reconciler when the order's token is to be seen again."""
    delivery.tx.later(_EXPECT, {"b_id": delivery.order.id, "b_expected_at": at_ms})
