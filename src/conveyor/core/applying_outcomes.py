"""What an outcome does to its order: version, place, timeline, next token; one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conveyor.core import timeline
from conveyor.core.errors import AlongNotDoneError, RefusedToCompensateError
from conveyor.core.moving import move_order
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.outcome import Again, Awaiting, Done, Outcome, Park, Refused
from conveyor.core.parking import park
from conveyor.core.place import place_of
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import (
    Flow,
    Place,
    advance,
    begin,
    step_at,
    turn_back,
)
from conveyor.core.step import LocalStep, Now
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx


def apply_outcome(
    tx: Tx,
    registry: Registry,
    order: Order,
    outcome: Outcome,
    now: Now,
    *,
    attempt: int = 0,
    by_queue: bool = False,
) -> None:
    """Apply a step's outcome to its order, and owe the token that comes next, if any.

    `attempt` is the try that it came of, and `by_queue` whether that had a message.
    """
    flow = registry.flow(order.flow)
    place = place_of(order)
    step = step_at(flow, place)
    story = _Story(tx, order, now, step, attempt, by_queue)
    match _past_pivot(flow, place, outcome):
        case Done(detail):
            _done(registry, flow, story, detail)
        case Refused(reason, detail):
            if order.backwards:
                raise RefusedToCompensateError(step, reason)
            story.tell(TimelineEvent.REFUSED, {"reason": reason, **detail})
            after = turn_back(flow, place, OrderStatus.REFUSED)
            move_order(tx, registry, order, after, now, reason=reason)
        case Awaiting(what, seconds, detail):
            _run_also(tx, registry, order, now)
            story.tell(TimelineEvent.AWAITING, {"what": what, "seconds": seconds, **detail})
            order, here = _unmarked(story, order, place), begin(place)
            move_order(tx, registry, order, here, now, rest_seconds=seconds, awaiting=True)
        case Again(reason, seconds, detail):
            story.tell(TimelineEvent.AGAIN, {"reason": reason, **detail})
            move_order(tx, registry, order, begin(place), now, rest_seconds=seconds)
        case Park(cause, detail):
            story.tell(TimelineEvent.PARKED, {"cause": cause, **detail})
            park(tx, order, now, step=step, cause=cause, attempts=attempt)
            move_order(tx, registry, order, begin(place), now, parking=True)


def _done(registry: Registry, flow: Flow, story: _Story, detail: Mapping[str, Any]) -> None:
    tx, order, now = story.tx, story.order, story.now
    place = place_of(order)
    _run_also(tx, registry, order, now)
    story.tell(TimelineEvent.DONE, detail)
    after = advance(flow, place, _members(flow, order))
    if order.cancelling and _can_be_undone(flow, place, after):
        after = turn_back(flow, after, OrderStatus.CANCELLED)
    move_order(tx, registry, _unmarked(story, order, after), after, now)


def _past_pivot(flow: Flow, place: Place, outcome: Outcome) -> Outcome:
    """Park what is refused once it cannot be taken back any more; all else stays as it is."""
    if isinstance(outcome, Refused) and flow.is_past_pivot(place):
        return Park(f"past {flow.pivot}: {outcome.reason}", outcome.detail)
    return outcome


def _can_be_undone(flow: Flow, place: Place, after: Place) -> bool:
    return after.position <= flow.last_cancellable or flow.steps[place.position].undo != ""


def _unmarked(story: _Story, order: Order, goes_to: Place) -> Order:
    """Give up turning back an order whose step took effect after all, and cannot be undone."""
    if not order.cancelling or goes_to.ending:
        return order
    story.tell(
        TimelineEvent.NOTED, {"what": f"{story.step} took effect: it is too late to undo it"}
    )
    return order._replace(cancelling=False, reason="")  # why it was to be cancelled


def _members(flow: Flow, order: Order) -> int:
    each = "" if order.backwards else flow.steps[order.position].each
    return len(order.body[each]) if each else 1


def _run_also(tx: Tx, registry: Registry, order: Order, now: Now) -> None:
    """Run what goes along with a step: when it is done or begins to await, not at its answer.

    A step that awaited and was taken again runs them again: they must be harmless twice.
    """
    if order.backwards or order.status == OrderStatus.AWAITING:
        return
    for name in registry.flow(order.flow).steps[order.position].also:
        also = registry.step(name)
        assert isinstance(also, LocalStep)  # noqa: S101 - checked when its flow was loaded
        outcome = also.run(tx, order, now)
        if not isinstance(outcome, Done):  # it has no place of its own on the slip
            raise AlongNotDoneError(name, outcome)


@dataclass(frozen=True, slots=True)
class _Story:
    """Writes into the order's timeline."""

    tx: Tx
    order: Order
    now: Now
    step: str
    attempt: int
    by_queue: bool

    def tell(self, event: TimelineEvent, detail: Mapping[str, Any]) -> None:
        if self.by_queue and event != TimelineEvent.NOTED:
            detail = {**detail, timeline.BY_QUEUE: True}
        order, step, attempt = self.order, self.step, self.attempt
        timeline.note(
            self.tx,
            order.id,
            order.version,
            self.now.ms,
            event,
            step=step,
            attempt=attempt,
            detail=detail,
        )
