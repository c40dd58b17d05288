"""What an outcome does to its order: version, place, timeline, next token; one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from conveyor.core import outbox, timeline
from conveyor.core.errors import RefusedToCompensateError
from conveyor.core.order import Order
from conveyor.core.order_status import TERMINAL, OrderStatus
from conveyor.core.outbox import OwedToken
from conveyor.core.outcome import Again, Awaiting, Done, Outcome, Park, Refused
from conveyor.core.parking import park
from conveyor.core.place import place_of
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import (
    Flow,
    Place,
    advance,
    begin,
    service_of,
    step_at,
    turn_back,
)
from conveyor.core.step import LocalStep, Now
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.core.turns import NO_TURN, Turn, next_turn, write_turn

_COLUMNS = (
    "status",
    "position",
    "ending",
    "reason",
    "cancelling",
    "group_key",
    "expected_at",
    "updated_at",
    "settled_at",
    "stage",
    "sequence",
    "begun",
)
# The fence: whoever loaded an older version changes no row, and the transaction fails.
_MOVE = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("b_id"), orders.c.version == sa.bindparam("b_version"))
    .values(version=orders.c.version + 1, **{name: sa.bindparam(f"b_{name}") for name in _COLUMNS})
)


def apply_outcome(
    tx: Tx,
    registry: Registry,
    order: Order,
    outcome: Outcome,
    now: Now,
    *,
    attempt: int = 0,
) -> None:
    """Apply a step's outcome to its order, and owe the token that comes next, if any."""
    flow = registry.flow(order.flow)
    place = place_of(order)
    step = step_at(flow, place)
    story = _Story(tx, order, now, step, attempt)
    match _past_pivot(flow, place, outcome):
        case Done(detail):
            _done(registry, flow, story, detail)
        case Refused(reason, detail):
            if order.backwards:
                raise RefusedToCompensateError(step, reason)
            story.tell(timeline.REFUSED, {"reason": reason, **detail})
            after = turn_back(flow, place, OrderStatus.REFUSED)
            move_order(tx, registry, order, after, now, reason=reason)
        case Awaiting(what, seconds, detail):
            _run_also(tx, registry, order, now)
            story.tell(timeline.AWAITING, {"what": what, "seconds": seconds, **detail})
            order, here = _unmarked(story, order, place), begin(place)
            move_order(tx, registry, order, here, now, rest_seconds=seconds, awaiting=True)
        case Again(reason, seconds, detail):
            story.tell(timeline.AGAIN, {"reason": reason, **detail})
            move_order(tx, registry, order, begin(place), now, rest_seconds=seconds)
        case Park(cause, detail):
            story.tell(timeline.PARKED, {"cause": cause, **detail})
            park(tx, order, now, step=step, cause=cause, attempts=attempt)
            move_order(tx, registry, order, begin(place), now, parking=True)


def _done(registry: Registry, flow: Flow, story: _Story, detail: Mapping[str, Any]) -> None:
    tx, order, now = story.tx, story.order, story.now
    place = place_of(order)
    _run_also(tx, registry, order, now)
    story.tell(timeline.DONE, detail)
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
    story.tell(timeline.NOTED, {"what": f"{story.step} took effect: it is too late to undo it"})
    return order._replace(cancelling=False, reason="")  # why it was to be cancelled


def move_order(
    tx: Tx,
    registry: Registry,
    order: Order,
    place: Place,
    now: Now,
    *,
    reason: str = "",
    rest_seconds: float = 0.0,
    awaiting: bool = False,
    parking: bool = False,
) -> None:
    """Move an order to a place and its version on by one, and owe the token that is due there."""
    if place.ending and not order.backwards:
        due = step_at(registry.flow(order.flow), place_of(order))
        registry.step(due).turned_back(tx, order, now)
    token = None
    if not parking:
        token = _token(
            tx, registry, order, place, now, rest_seconds=rest_seconds, awaiting=awaiting
        )
    _owe(tx, order, token)
    ended = token is None and not parking
    status = _status(place, ended=ended, awaiting=awaiting, parking=parking)
    # Who is parked keeps the turn, and so holds back those behind it; who is at its end has none.
    turn = Turn(order.group_key, order.sequence) if parking else token.turn if token else NO_TURN
    row = _row(order, place, status, now, reason or order.reason)
    row |= {"b_group_key": turn.group_key, "b_expected_at": token.due_at if token else now.ms}
    write_turn(tx, turn, row, "b_sequence")
    tx.later(_MOVE, row, must_match=True)
    if ended:
        timeline.note(tx, order.id, order.version + 1, now.ms, status)


def _owe(tx: Tx, order: Order, token: OwedToken | None) -> None:
    if token is None:
        outbox.clear(tx, order.id)
    else:
        outbox.put(tx, token)


def _status(place: Place, *, ended: bool, awaiting: bool, parking: bool) -> OrderStatus:
    if parking:
        return OrderStatus.PARKED
    if ended:
        return OrderStatus(place.ending or OrderStatus.COMPLETED)
    if awaiting:
        return OrderStatus.AWAITING
    return OrderStatus.COMPENSATING if place.ending else OrderStatus.PROCESSING


def _row(order: Order, place: Place, status: OrderStatus, now: Now, reason: str) -> dict[str, Any]:
    ended = status in TERMINAL
    return {
        "b_id": order.id,
        "b_version": order.version,
        "b_status": status,
        "b_position": place.position,
        "b_ending": place.ending,
        "b_reason": reason,
        "b_cancelling": order.cancelling and not place.ending and not ended,
        "b_updated_at": now.ms,
        "b_settled_at": now.ms if ended else None,
        "b_stage": place.stage,
        "b_begun": place.begun,
    }


def _members(flow: Flow, order: Order) -> int:
    each = "" if order.backwards else flow.steps[order.position].each
    return len(order.body[each]) if each else 1


def _token(
    tx: Tx,
    registry: Registry,
    order: Order,
    place: Place,
    now: Now,
    *,
    rest_seconds: float,
    awaiting: bool,
) -> OwedToken | None:
    """Give what is owed at a place; None at its end."""
    step = step_at(registry.flow(order.flow), place)
    if not step:
        return None
    queue = registry.queues[service_of(step)]
    turn = _turn(tx, registry, order, place, step, awaiting=awaiting) if queue.fifo else NO_TURN
    due_at = now.ms + round(rest_seconds * 1000)
    at_once = rest_seconds <= 0
    return OwedToken(order.id, order.version + 1, queue.name, step, turn, due_at, now=at_once)


def _turn(
    tx: Tx, registry: Registry, order: Order, place: Place, step: str, *, awaiting: bool
) -> Turn:
    if awaiting:
        return Turn(order.id)  # it had its turn: answers come as they come
    if place == place_of(order) and order.sequence:
        return Turn(order.group_key, order.sequence)  # whoever takes a step again keeps its turn
    there = order._replace(position=place.position, ending=place.ending, stage=place.stage)
    return next_turn(tx, registry, step, there)


def _run_also(tx: Tx, registry: Registry, order: Order, now: Now) -> None:
    """Run what goes along with a step, once: at its first outcome, not at its answer."""
    if order.backwards or order.status == OrderStatus.AWAITING:
        return
    for name in registry.flow(order.flow).steps[order.position].also:
        also = registry.step(name)
        assert isinstance(also, LocalStep)  # noqa: S101 - the registry checked it
        also.run(tx, order, now)


@dataclass(frozen=True, slots=True)
class _Story:
    """Writes into the order's timeline."""

    tx: Tx
    order: Order
    now: Now
    step: str
    attempt: int

    def tell(self, event: str, detail: Mapping[str, Any]) -> None:
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
