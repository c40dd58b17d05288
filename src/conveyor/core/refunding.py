"""An operator has the money of a completed order given back, and leaves everything else as it is.

The order goes on as one that is being undone, but only by the compensation that returns its money:
the token, the call and whatever becomes of it are as for any other. It ends refunded.
"""

from __future__ import annotations

from conveyor.core.actor import NOBODY, Actor
from conveyor.core.interventions import Decision, Intervention, tell
from conveyor.core.moving import move_order
from conveyor.core.order import Order, load
from conveyor.core.order_status import OrderStatus
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Place, refunding, undone_by
from conveyor.core.step import Now
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx


def refund(
    tx: Tx,
    registry: Registry,
    order_id: str,
    now: Now,
    reason: str,
    *,
    undo: str,
    by: Actor = NOBODY,
) -> Intervention:
    """Have a completed order run `undo`, the compensation that gives its money back, and end.

    Asked again, it says how far that is, and does nothing.
    """
    order = load(tx, [order_id]).get(order_id)
    if order is None:
        return Intervention(Decision.NOT_FOUND)
    flow = registry.flow(order.flow)
    if order.ending == OrderStatus.REFUNDED:
        undoes = undone_by(flow, Place(order.position, order.ending))
        return Intervention(Decision.ALREADY, undoes, status=order.status)
    if order.status != OrderStatus.COMPLETED:
        return Intervention(Decision.NOT_COMPLETED)
    place = to_refund(registry, order, undo)
    if place is None:
        return Intervention(Decision.NOT_REFUNDABLE)
    tell(tx, order, now, TimelineEvent.REFUND_ASKED, reason=reason, **by.facts)
    status = move_order(tx, registry, order, place, now, reason=reason)
    return Intervention(Decision.ACCEPTED, undone_by(flow, place), status=status)


def to_refund(registry: Registry, order: Order, undo: str) -> Place | None:
    """Give where a refund takes a completed order; None: it is free, or never gives money back."""
    return refunding(registry.flow(order.flow), undo) if order.total else None
