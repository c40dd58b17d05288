"""What people do to an order on its way: cancel it, redrive it, compensate it, discard it.

Each takes the transaction first and gives a value that says what happened.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import sqlalchemy as sa

from conveyor.core import attempts, timeline
from conveyor.core.actor import NOBODY, Actor
from conveyor.core.elsewhere import TakenElsewhere
from conveyor.core.group_order import release
from conveyor.core.moving import move_order
from conveyor.core.order import Order, load
from conveyor.core.order_status import TERMINAL, OrderStatus
from conveyor.core.parking import unpark
from conveyor.core.place import place_of
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Place, step_at, turn_back, undone_by
from conveyor.core.step import Now
from conveyor.core.tables import orders
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.tracing import Happened
from conveyor.core.transaction import Tx

_ASK_TO_CANCEL = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("b_id"), orders.c.version == sa.bindparam("b_version"))
    .values(cancelling=True, reason=sa.bindparam("b_reason"))
)


class Decision(StrEnum):
    """What came of it."""

    ACCEPTED = "accepted"
    TOO_LATE = "too_late"
    ALREADY = "already"
    NOT_PARKED = "not_parked"
    NOT_FOUND = "not_found"
    STILL_OWES = "still_owes"
    NOT_WAITING = "not_waiting"
    NOT_COMPLETED = "not_completed"
    NOT_REFUNDABLE = "not_refundable"


@dataclass(frozen=True, slots=True)
class Intervention:
    """What was decided, and the compensations that will run for it, in order.

    `fee` is what a cancellation keeps of the order's total, in minor units. `unless` names a step
    whose call is in doubt and that nothing undoes: should it have taken effect, the order goes on.
    `status` is how the order is left; None: as it was.
    """

    what: Decision
    undoes: tuple[str, ...] = ()
    fee: int = 0
    unless: str = ""
    status: OrderStatus | None = None


def cancel(
    tx: Tx, registry: Registry, order_id: str, now: Now, reason: str, *, by: Actor = NOBODY
) -> Intervention:
    """Cancel an order if its flow still allows it; `by` is who asks, for its story.

    While a provider's answer is outstanding, or that of a process elsewhere, the order is only
    marked: a call whose outcome is not known is never compensated. It turns back when its result
    is recorded.
    """
    order = _locked(tx, order_id)
    if order is None:
        return Intervention(Decision.NOT_FOUND)
    flow = registry.flow(order.flow)
    if order.backwards or order.cancelling or order.status in TERMINAL:
        already = order.cancelling or order.ending not in {"", OrderStatus.REFUNDED}
        return Intervention(Decision.ALREADY if already else Decision.TOO_LATE)
    if too_late_to_cancel(tx, registry, order):
        return Intervention(Decision.TOO_LATE)
    tell(tx, order, now, TimelineEvent.CANCEL_ASKED, reason=reason, **by.facts)
    if order.status != OrderStatus.PARKED and _call_is_open(tx, registry, order):
        row = {"b_id": order.id, "b_version": order.version, "b_reason": reason}
        tx.later(_ASK_TO_CANCEL, row, must_match=True)
        return Intervention(Decision.ACCEPTED, undone_by(flow, _after(order)))
    # One that is parked did not come to the customer through the customer's fault.
    fee = 0 if order.status == OrderStatus.PARKED else flow.fee_of(place_of(order), order.total)
    return replace(_compensate(tx, registry, order, now, reason), fee=fee)


def too_late_to_cancel(tx: Tx, registry: Registry, order: Order) -> bool:
    """Whether an order on its way has passed the point from which its flow only goes forward."""
    flow = registry.flow(order.flow)
    return order.position > flow.last_cancellable or _last_step_has_begun(tx, registry, order)


def pivot_is_done(tx: Tx, registry: Registry, order: Order) -> bool:
    """Whether a parked order is past its flow's pivot, or parked at it and it has happened."""
    flow, place = registry.flow(order.flow), place_of(order)
    if flow.is_past_pivot(place):
        return True
    if not flow.pivot or step_at(flow, place) != flow.pivot:
        return False
    # It may have been told while the order was parked: a redrive takes note of it.
    return registry.step(flow.pivot).has_happened(tx, order)


def compensate(
    tx: Tx, registry: Registry, order_id: str, now: Now, reason: str, *, by: Actor = NOBODY
) -> Intervention:
    """Undo a parked order. One that parked while being undone goes on undoing.

    Past its flow's pivot it is too late: it is redriven, or discarded with a reason.
    """
    order = _locked(tx, order_id)
    if order is None or order.status != OrderStatus.PARKED:
        return Intervention(Decision.NOT_FOUND if order is None else Decision.NOT_PARKED)
    if pivot_is_done(tx, registry, order):
        return Intervention(Decision.TOO_LATE)
    return _compensate(tx, registry, order, now, reason, by=by)


def redrive(
    tx: Tx, registry: Registry, order_id: str, now: Now, *, by: Actor = NOBODY
) -> Intervention:
    """Let a parked order take its step again."""
    order = _locked(tx, order_id)
    if order is None or order.status != OrderStatus.PARKED:
        return Intervention(Decision.NOT_FOUND if order is None else Decision.NOT_PARKED)
    _unpark(tx, order, now)
    tell(tx, order, now, TimelineEvent.REDRIVEN, why=by.why, **by.facts)
    status = move_order(tx, registry, order, place_of(order), now)
    return Intervention(Decision.ACCEPTED, status=status)


def discard(
    tx: Tx, registry: Registry, order_id: str, now: Now, reason: str, *, by: Actor = NOBODY
) -> Intervention:
    """Give a parked order up for good; refused while anything of it is left to undo.

    Past its flow's pivot that writes off what it is still to pay, and lets go of what it holds. Of
    one that is being refunded the refund is given up: it is completed again, and keeps its money.
    """
    order = _locked(tx, order_id)
    if order is None or order.status != OrderStatus.PARKED:
        return Intervention(Decision.NOT_FOUND if order is None else Decision.NOT_PARKED)
    flow = registry.flow(order.flow)
    past = flow.is_past_pivot(place_of(order))
    gives_up_refund = order.ending == OrderStatus.REFUNDED
    left = () if gives_up_refund else undone_by(flow, place_of(order))
    if (left and not past) or _call_is_open(tx, registry, order):
        return Intervention(Decision.STILL_OWES, () if past else left)
    if past:
        loss = {"written_off": order.total, "currency": order.currency}
        tell(tx, order, now, TimelineEvent.DISCARDED, reason=reason, **by.facts, **loss)
        return _compensate(tx, registry, order, now, reason)
    _unpark(tx, order, now)
    tell(tx, order, now, TimelineEvent.DISCARDED, reason=reason, **by.facts)
    end = Place(-1, order.ending or OrderStatus.CANCELLED)
    if gives_up_refund:  # all of it is done, as before it was asked for
        order, end, reason = order._replace(reason=""), Place(len(flow.steps)), ""
    status = move_order(tx, registry, order, end, now, reason=reason)
    return Intervention(Decision.ACCEPTED, status=status)


def _compensate(
    tx: Tx, registry: Registry, order: Order, now: Now, reason: str, *, by: Actor = NOBODY
) -> Intervention:
    flow = registry.flow(order.flow)
    if order.status == OrderStatus.PARKED:
        _unpark(tx, order, now)
    if order.backwards:
        tell(tx, order, now, TimelineEvent.REDRIVEN, why=by.why, **by.facts)
        status = move_order(tx, registry, order, place_of(order), now)
        return Intervention(Decision.ACCEPTED, undone_by(flow, place_of(order)), status=status)
    if _call_is_open(tx, registry, order):
        # First the outstanding call must have a known outcome; then it turns back.
        tell(tx, order, now, TimelineEvent.REDRIVEN, why=by.why, **by.facts)
        marked = order._replace(cancelling=True)
        undoes = undone_by(flow, _after(order))
        status = move_order(tx, registry, marked, place_of(order), now, reason=reason)
        step = flow.steps[order.position]
        unless = "" if step.undo else step.name
        return Intervention(Decision.ACCEPTED, undoes, unless=unless, status=status)
    release(tx, order, now.ms)
    tell(tx, order, now, TimelineEvent.TURNED_BACK, why=by.why, **by.facts)
    back = turn_back(flow, place_of(order), OrderStatus.CANCELLED)
    status = move_order(tx, registry, order, back, now, reason=reason)
    return Intervention(Decision.ACCEPTED, undone_by(flow, place_of(order)), status=status)


def tell(tx: Tx, order: Order, now: Now, event: TimelineEvent, **facts: object) -> None:
    """Write in an order's story what somebody decided about it."""
    detail = {name: fact for name, fact in facts.items() if fact != "" or name == "reason"}
    timeline.note(tx, order.id, order.version, now.ms, event, detail=detail)
    if order.traceparent:
        tx.measure(Happened(order.traceparent, order.id, order.flow, event.value, now.ms))


def _unpark(tx: Tx, order: Order, now: Now) -> None:
    unpark(tx, order.id)
    release(tx, order, now.ms)


def _locked(tx: Tx, order_id: str) -> Order | None:
    return load(tx, [order_id]).get(order_id)


def _after(order: Order) -> Place:
    """The place at which the step that is owed now counts as done."""
    return Place(order.position + 1)


def _last_step_has_begun(tx: Tx, registry: Registry, order: Order) -> bool:
    flow = registry.flow(order.flow)
    if order.position < flow.last_cancellable:
        return False
    called = attempts.has_effect(tx, order.id, flow.cancel_until)
    return called or registry.step(flow.cancel_until).has_begun(tx, order)


def _call_is_open(tx: Tx, registry: Registry, order: Order) -> bool:
    due = step_at(registry.flow(order.flow), place_of(order))
    step = registry.steps.get(due)
    if isinstance(step, TakenElsewhere):
        return step.awaits(order)
    last = attempts.latest(tx, [order.id]).last(order.id, due)
    return last is not None and last.is_open
