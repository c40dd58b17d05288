"""What would become of many orders, were each of them cancelled, refunded or decided about now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from conveyor.commerce.orders.order_filter import OrderFilter
from conveyor.core import attempts
from conveyor.core.attempts import Attempt, Attempts
from conveyor.core.engine import Engine
from conveyor.core.interventions import Decision, pivot_is_done
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.place import due_step
from conveyor.core.registry import Registry
from conveyor.core.transaction import Tx
from conveyor.operations.explain.outlook import choices, to_cancel
from conveyor.operations.order_search import page_of
from conveyor.operations.refunds import why_not_refunded, would_refund


class Action(StrEnum):
    """What can be done to many orders at once."""

    CANCEL = "cancel"
    REDRIVE = "redrive"
    COMPENSATE = "compensate"
    DISCARD = "discard"
    REFUND = "refund"


_OF_ANY = frozenset({Action.CANCEL, Action.REFUND})
"""These are not only for parked orders."""


class Would(StrEnum):
    """What the answer would be, in the words of the answer itself."""

    ACCEPTED = Decision.ACCEPTED.value
    ALREADY = Decision.ALREADY.value
    TOO_LATE = Decision.TOO_LATE.value
    NOT_PARKED = Decision.NOT_PARKED.value
    STILL_OWES = Decision.STILL_OWES.value
    NOT_COMPLETED = Decision.NOT_COMPLETED.value
    NOT_REFUNDABLE = Decision.NOT_REFUNDABLE.value
    FLOW_MISSING = "flow_missing"


@dataclass(frozen=True, slots=True)
class Judged:
    """An order, and what would come of it; `does` says what it sets going, '' for nothing."""

    order: Order
    would: Would
    does: str = ""


async def preview(
    engine: Engine,
    action: Action,
    wanted: OrderFilter,
    sees: str | None,
    *,
    limit: int,
    cursor: str | None = None,
) -> tuple[list[Judged], str | None]:
    """Judge a page of orders as they are now, and give the cursor of the next; changes nothing.

    Raises `UnknownNameError`.
    """

    def read(tx: Tx) -> tuple[list[Judged], str | None]:
        page = page_of(tx, engine.registry, wanted, sees, limit=limit, cursor=cursor)
        made = attempts.latest(tx, [order.id for order in page.orders])
        return [judged(tx, engine.registry, action, it, made) for it in page.orders], page.next

    return await engine.database.read(read)


def judged(tx: Tx, registry: Registry, action: Action, order: Order, made: Attempts) -> Judged:
    """Judge one order in this transaction, of whose calls `made` knows."""
    if action not in _OF_ANY and order.status != OrderStatus.PARKED:
        return Judged(order, Would.NOT_PARKED)
    if order.flow not in registry.flows:
        return Judged(order, Would.FLOW_MISSING)
    if action == Action.REFUND:
        return _to_refund(tx, registry, order)
    if action == Action.REDRIVE:
        return Judged(order, Would.ACCEPTED, f"takes {due_step(registry.flows, order)} again")
    calls = list(made.of(order.id))
    if action == Action.CANCEL:
        return _to_cancel(tx, registry, order, calls)
    return _to_give_up(tx, registry, action, order, calls)


def _to_refund(tx: Tx, registry: Registry, order: Order) -> Judged:
    if order.ending == OrderStatus.REFUNDED:
        return Judged(order, Would.ALREADY)
    if (refused := why_not_refunded(tx, registry, order)) is not None:
        return Judged(order, Would(refused.what.value))
    return Judged(order, Would.ACCEPTED, would_refund(tx, registry, order))


def _to_cancel(tx: Tx, registry: Registry, order: Order, calls: Sequence[Attempt]) -> Judged:
    if order.cancelling or order.ending == OrderStatus.CANCELLED:
        return Judged(order, Would.ALREADY)
    choice = to_cancel(tx, registry, order, calls)
    if choice is None:
        return Judged(order, Would.TOO_LATE)
    return Judged(order, Would.ACCEPTED, choice.does)


def _to_give_up(
    tx: Tx, registry: Registry, action: Action, order: Order, calls: Sequence[Attempt]
) -> Judged:
    possible = {it.what: it.does for it in choices(tx, registry, order, calls)}
    if action in possible:
        return Judged(order, Would.ACCEPTED, possible[action])
    if action == Action.DISCARD:
        return Judged(order, Would.STILL_OWES)
    if pivot_is_done(tx, registry, order):
        return Judged(order, Would.TOO_LATE)
    if order.ending == OrderStatus.REFUNDED:
        due = due_step(registry.flows, order)
        return Judged(order, Would.ACCEPTED, f"goes on refunding it: takes {due} again")
    return Judged(order, Would.ACCEPTED, "ends it: nothing is left to undo")
