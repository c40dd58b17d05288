"""Giving the money of a completed order back: what an operator decides, for their merchant only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from conveyor.commerce.orders.money import in_words as money
from conveyor.commerce.payments import store as payments
from conveyor.core import operator_actions, refunding
from conveyor.core.actor import NOBODY, Actor
from conveyor.core.archived import archived_as
from conveyor.core.detached import detached_with
from conveyor.core.engine import Engine
from conveyor.core.interventions import Decision
from conveyor.core.order import Order, load
from conveyor.core.order_status import UNDONE, OrderStatus
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import step_at
from conveyor.core.step import Now
from conveyor.core.transaction import Tx

REFUND_STEP = "payments.refund"
"""What gives money back: a flow whose slip has it as an `undo` can have a completed order refunded.
"""
_ARCHIVED = "It is in the archive, where nothing moves any more: give its money back by hand."
_FREE = "It is free of charge."
_TAKES_NONE = "It has taken no money that could be given back."


@dataclass(frozen=True, slots=True)
class Refunded:
    """The order is being refunded, or has been; `steps` are the compensations still to run.

    `returned` is what goes back in all, in minor units. `status` is the order's own, as it was
    left.
    """

    steps: tuple[str, ...]
    returned: int
    currency: str
    status: OrderStatus


@dataclass(frozen=True, slots=True)
class NotRefunded:
    """Nothing was done; `what` is the kind of reason, `why` says it in a sentence."""

    what: Decision
    why: str


async def refund(
    engine: Engine, order_id: str, merchant: str | None, reason: str, *, by: Actor = NOBODY
) -> Refunded | NotRefunded | None:
    """Have a completed order's money given back; None: there is no such order of this merchant.

    `by` is who asks: it is kept in the order's story, and in the log of what operators did. Asking
    again gives the same answer, as far as that has come meanwhile.
    """
    now = engine.now()

    def work(tx: Tx) -> Refunded | NotRefunded | None:
        # Locked before it is looked at: what is said of it is what was decided on.
        order = load(tx, [order_id]).get(order_id)
        if order is None and archived_as(tx, order_id, merchant):
            return NotRefunded(Decision.NOT_REFUNDABLE, _ARCHIVED)
        if order is None or merchant not in {None, order.merchant}:
            return None
        if why_not := why_not_refunded(tx, engine.registry, order):
            return why_not
        registry = engine.registry
        decided = refunding.refund(tx, registry, order_id, now, reason, undo=REFUND_STEP, by=by)
        if decided.what == Decision.ACCEPTED:
            _note(tx, order, now, reason, by)
        status = decided.status or order.status
        return Refunded(decided.undoes, _taken(tx, order), order.currency, status)

    return await engine.relay.commit(work)


def why_not_refunded(tx: Tx, registry: Registry, order: Order) -> NotRefunded | None:
    """Say why an order cannot be refunded now; None: it can, or is being refunded already."""
    if order.ending == OrderStatus.REFUNDED:
        return None
    if order.status != OrderStatus.COMPLETED:
        return NotRefunded(Decision.NOT_COMPLETED, _as_it_stands(order))
    if (why := _not_refundable(tx, registry, order)) is not None:
        return NotRefunded(Decision.NOT_REFUNDABLE, why)
    return None


def would_refund(tx: Tx, registry: Registry, order: Order) -> str:
    """Say what refunding a completed order does, of which that is possible."""
    place = refunding.to_refund(registry, order, REFUND_STEP)
    step = step_at(registry.flow(order.flow), place) if place else ""
    back = money(_taken(tx, order), order.currency)
    return f"runs {step}, gives all of its {back} back, and undoes nothing else"


def _note(tx: Tx, order: Order, now: Now, reason: str, by: Actor) -> None:
    who = replace(by, why=by.why or reason)
    action, merchant = "orders.refund", order.merchant
    operator_actions.note(tx, who, action, now.ms, order=order.id, merchant=merchant)


def _as_it_stands(order: Order) -> str:
    if order.status in UNDONE or order.backwards:
        return f"It was {order.ending}: what it has taken is given back by that."
    return "It is still on its way: cancel it, or decide about it where it is parked."


def _not_refundable(tx: Tx, registry: Registry, order: Order) -> str | None:
    if not order.total:
        return _FREE
    if refunding.to_refund(registry, order, REFUND_STEP) is None:
        return f"Its flow, {order.flow}, has no step that {REFUND_STEP} undoes."
    if not _taken(tx, order):
        return _TAKES_NONE
    if (month := detached_with(tx, order.id)) is not None:
        # Whom it has called, and with which keys, went with its calls.
        return f"Its calls were detached ({month.name}), and nobody knows here whom it has called."
    return None


def _taken(tx: Tx, order: Order) -> int:
    payment = payments.of_order(tx, order.id)
    return payment.captured if payment else 0
