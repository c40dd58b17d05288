"""What an outcome does to its order: version, place, timeline, next token; one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conveyor.core import order_log, timeline
from conveyor.core.delivery import Delivery
from conveyor.core.errors import AlongNotDoneError, RefusedToCompensateError
from conveyor.core.moving import move_order
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.outcome import Again, Awaiting, Done, Outcome, Park, Refused
from conveyor.core.parking import park
from conveyor.core.place import also_at, place_of
from conveyor.core.routing_slip import (
    Flow,
    Place,
    advance,
    begin,
    turn_back,
)
from conveyor.core.step import LocalStep
from conveyor.core.timeline_event import TimelineEvent


def apply_outcome(delivery: Delivery, outcome: Outcome) -> None:
    """Apply a step's outcome to its order, and owe the token that comes next, if any."""
    tx, order, registry = delivery.tx, delivery.order, delivery.context.registry
    now, flow, place = delivery.context.now, registry.flow(order.flow), place_of(order)
    match _past_pivot(flow, place, outcome):
        case Done(detail):
            _done(delivery, flow, place, detail)
        case Refused(reason, detail):
            if order.backwards:
                raise RefusedToCompensateError(delivery.step, reason)
            _tell(delivery, TimelineEvent.REFUSED, {"reason": reason, **detail})
            after = turn_back(flow, place, OrderStatus.REFUSED)
            move_order(tx, registry, order, after, now, reason=reason)
        case Awaiting(what, seconds, detail):
            _run_also(delivery)
            _tell(delivery, TimelineEvent.AWAITING, {"what": what, "seconds": seconds, **detail})
            move_order(
                tx,
                registry,
                order,
                begin(place),
                now,
                rest_seconds=seconds,
                stops=OrderStatus.AWAITING,
                unmarked=_unmark(delivery, place),
            )
        case Again(reason, seconds, detail):
            _tell(delivery, TimelineEvent.AGAIN, {"reason": reason, **detail})
            move_order(tx, registry, order, begin(place), now, rest_seconds=seconds)
        case Park(cause, detail, trace):
            stop(delivery, Park(cause, {**detail, **_by_queue(delivery)}, trace), begin(place))


def stop(delivery: Delivery, why: Park, place: Place) -> None:
    """Park the order at this place, until an operator decides."""
    tx, order, context = delivery.tx, delivery.order, delivery.context
    delivery.note(TimelineEvent.PARKED, {"cause": why.cause, **why.detail})
    park(
        tx,
        order,
        context.now,
        step=delivery.step,
        cause=why.cause,
        attempts=delivery.tries,
        traceback=why.trace,
    )
    order_log.parked(delivery, why.cause, why.trace)
    move_order(tx, context.registry, order, place, context.now, stops=OrderStatus.PARKED)


def _done(delivery: Delivery, flow: Flow, place: Place, detail: Mapping[str, Any]) -> None:
    order, context = delivery.order, delivery.context
    _run_also(delivery)
    _tell(delivery, TimelineEvent.DONE, detail)
    after = advance(flow, place, _members(flow, order))
    if order.cancelling and _can_be_undone(flow, place, after):
        after = turn_back(flow, after, OrderStatus.CANCELLED)
    unmarked = _unmark(delivery, after)
    move_order(delivery.tx, context.registry, order, after, context.now, unmarked=unmarked)


def _tell(delivery: Delivery, event: TimelineEvent, detail: Mapping[str, Any]) -> None:
    """Write what the step came to, and whether a message brought it there."""
    delivery.note(event, {**detail, **_by_queue(delivery)})


def _by_queue(delivery: Delivery) -> Mapping[str, Any]:
    return {timeline.BY_QUEUE: True} if delivery.by_queue else {}


def _past_pivot(flow: Flow, place: Place, outcome: Outcome) -> Outcome:
    """Park what is refused once it cannot be taken back any more; all else stays as it is."""
    if isinstance(outcome, Refused) and flow.is_past_pivot(place):
        return Park(f"past {flow.pivot}: {outcome.reason}", outcome.detail)
    return outcome


def _can_be_undone(flow: Flow, place: Place, after: Place) -> bool:
    return after.position <= flow.last_cancellable or flow.steps[place.position].undo != ""


def _unmark(delivery: Delivery, goes_to: Place) -> bool:
    """Give up turning back an order whose step took effect after all, and cannot be undone."""
    if not delivery.order.cancelling or goes_to.ending:
        return False
    what = f"{delivery.step} took effect: it is too late to undo it"
    delivery.note(TimelineEvent.NOTED, {"what": what})
    return True


def _members(flow: Flow, order: Order) -> int:
    each = "" if order.backwards else flow.steps[order.position].each
    return len(order.body[each]) if each else 1


def _run_also(delivery: Delivery) -> None:
    """Run what goes along with a step: when it is done or begins to await, not at its answer.

    A step that awaited and was taken again runs them again: they must be harmless twice.
    """
    registry, order = delivery.context.registry, delivery.order
    for name in also_at(registry.flows, order):
        also = registry.step(name)
        assert isinstance(also, LocalStep)  # noqa: S101 - checked when its flow was loaded
        outcome = also.run(delivery.tx, order, delivery.context.now)
        if not isinstance(outcome, Done):  # it has no place of its own on the slip
            raise AlongNotDoneError(name, outcome)
