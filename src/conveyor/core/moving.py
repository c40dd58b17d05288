"""An order moves to a place on its slip: its version, its status, its turn, and what it is owed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from conveyor.core import order_log, outbox, timeline
from conveyor.core.measures import OrderSettled
from conveyor.core.order import Order
from conveyor.core.order_status import TERMINAL, OrderStatus
from conveyor.core.outbox import OwedToken
from conveyor.core.place import place_of
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Place, service_of, step_at
from conveyor.core.step import Now
from conveyor.core.tables import orders
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.tracing import Happened
from conveyor.core.transaction import Tx
from conveyor.core.turns import NO_TURN, Turn, next_turn, write_turn

_ALWAYS = ("status", "position", "cancelling", "expected_at", "updated_at", "stage", "begun")
_INDEXED = ("ending", "reason", "group_key", "settled_at", "sequence")


def _moving(columns: tuple[str, ...]) -> sa.Update:
    """Write these; the fence: whoever loaded an older version changes no row, and fails."""
    return (
        sa.update(orders)
        .where(orders.c.id == sa.bindparam("b_id"), orders.c.version == sa.bindparam("b_version"))
        .values(
            version=orders.c.version + 1, **{name: sa.bindparam(f"b_{name}") for name in columns}
        )
    )


_MOVE = _moving((*_ALWAYS, *_INDEXED))
# What an index knows is written where it may change: SQLite writes an index anew for a column that
# is only named, and most moves of an order change none of these.
_MOVE_ON = _moving(_ALWAYS)


def move_order(
    tx: Tx,
    registry: Registry,
    order: Order,
    place: Place,
    now: Now,
    *,
    reason: str = "",
    rest_seconds: float = 0.0,
    stops: OrderStatus | None = None,
    unmarked: bool = False,
) -> OrderStatus:
    """Move an order to a place and its version on by one, and owe the token that is due there.

    `stops` says how where it does not go on by itself: AWAITING or PARKED. Who is `unmarked` is not
    to turn back any more, and why it was to is forgotten. Gives the status that it has from now on.
    """
    if place.ending and not order.backwards and place.ending != OrderStatus.REFUNDED:
        due = step_at(registry.flow(order.flow), place_of(order))
        registry.step(due).turned_back(tx, order, now)
    parking, awaiting = stops == OrderStatus.PARKED, stops == OrderStatus.AWAITING
    token = None
    if not parking:
        token = _token(
            tx, registry, order, place, now, rest_seconds=rest_seconds, awaiting=awaiting
        )
    _owe(tx, order, token)
    ended = token is None and not parking
    status = stops or _status(place, ended=ended)
    # Who is parked keeps the turn, and so holds back those behind it; who is at its end has none.
    turn = Turn(order.group_key, order.sequence) if parking else token.turn if token else NO_TURN
    why = "" if unmarked else reason or order.reason
    row = _row(order, place, status, now, turns_back=order.cancelling and not unmarked)
    row["b_expected_at"] = token.due_at if token else now.ms
    _write(tx, order, row, turn, (place.ending, why, now.ms if status in TERMINAL else None))
    if ended:
        _tell_end(tx, registry, order, status, now, why=why)
    return status


def _tell_end(
    tx: Tx, registry: Registry, order: Order, status: OrderStatus, now: Now, *, why: str
) -> None:
    timeline.note(tx, order.id, order.version + 1, now.ms, TimelineEvent(status))
    seconds = (now.ms - order.placed_at) / 1000
    tx.measure(OrderSettled(order.flow, status.value, seconds, order.traceparent))
    if order.traceparent:
        tx.measure(Happened(order.traceparent, order.id, order.flow, status.value, now.ms))
    if order_log.tells_settled():
        personal = registry.personal
        order_log.settled(tx, personal, order, status=status, reason=why, now_ms=now.ms)


def _write(
    tx: Tx, order: Order, row: dict[str, Any], turn: Turn, end: tuple[str, str, int | None]
) -> None:
    """Write the row of `_ALWAYS`, and what else is another than before; `end` is how it ends."""
    known = (order.ending, order.reason, order.settled_at)
    if end == known and turn == Turn(order.group_key, order.sequence):
        tx.later(_MOVE_ON, row, must_match=True)
        return
    row["b_ending"], row["b_reason"], row["b_settled_at"] = end
    row["b_group_key"] = turn.group_key
    write_turn(tx, turn, row, "b_sequence")
    tx.later(_MOVE, row, must_match=True)


def _owe(tx: Tx, order: Order, token: OwedToken | None) -> None:
    if token is None:
        outbox.clear(tx, order.id)
    else:
        outbox.put(tx, token)


def _status(place: Place, *, ended: bool) -> OrderStatus:
    if ended:
        return OrderStatus(place.ending or OrderStatus.COMPLETED)
    return OrderStatus.COMPENSATING if place.ending else OrderStatus.PROCESSING


def _row(
    order: Order, place: Place, status: OrderStatus, now: Now, *, turns_back: bool
) -> dict[str, Any]:
    return {
        "b_id": order.id,
        "b_version": order.version,
        "b_status": status,
        "b_position": place.position,
        "b_cancelling": turns_back and not place.ending and status not in TERMINAL,
        "b_updated_at": now.ms,
        "b_stage": place.stage,
        "b_begun": place.begun,
    }


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
    version = order.version + 1
    return OwedToken(
        order.id,
        version,
        queue.name,
        step,
        turn,
        due_at,
        now=at_once,
        fresh=True,
        traceparent=order.traceparent,
    )


def _turn(
    tx: Tx, registry: Registry, order: Order, place: Place, step: str, *, awaiting: bool
) -> Turn:
    if awaiting:
        return Turn(order.id)  # it had its turn: answers come as they come
    if place == place_of(order) and order.sequence:
        return Turn(order.group_key, order.sequence)  # whoever takes a step again keeps its turn
    there = order._replace(position=place.position, ending=place.ending, stage=place.stage)
    return next_turn(tx, registry, step, there)
