"""What people decide about an order: for their own merchant only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from conveyor.commerce.orders.store import find
from conveyor.commerce.payments import store as payments
from conveyor.core import attempts, interventions, operator_actions, retrying
from conveyor.core.actor import NOBODY, Actor
from conveyor.core.archived import archived_as
from conveyor.core.engine import Engine
from conveyor.core.interventions import Decision, Intervention
from conveyor.core.order import Order, load
from conveyor.core.order_status import OrderStatus
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Place, undone_by
from conveyor.core.step import Now
from conveyor.core.transaction import Tx
from conveyor.operations.refunds import REFUND_STEP

VOID = "void"
REFUND = "refund"
PART_REFUND = "part_refund"
NOTHING_TO_RETURN = "nothing_to_return"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The order is being undone, or has been; `steps` are the compensations still to run.

    `fee` is what cancelling costs, `returned` the rest: let go of, or paid back. `status` is the
    order's own, as it was left.
    """

    outcome: str
    steps: tuple[str, ...]
    fee: int
    returned: int
    currency: str
    status: OrderStatus


@dataclass(frozen=True, slots=True)
class NotCancelled:
    """It is too late; `why` is a sentence."""

    why: str


Note = Callable[[Tx, Order, Now], None]
Decide = Callable[[Tx, Registry, str, Now], Intervention]


async def cancel(
    engine: Engine, order_id: str, merchant: str | None, reason: str, *, by: Actor = NOBODY
) -> Cancelled | NotCancelled | None:
    """Cancel an order, and say what that means; None: there is no such order of this merchant.

    `by` is who asks; this, and each decision below, is told so in the order's story, and in the log
    of what operators did.

    Cancelling it again gives the same answer, as far as it has not been undone meanwhile.
    """
    now = engine.now()

    def work(tx: Tx) -> Cancelled | NotCancelled | None:
        # Locked before it is looked at: what is said of it is what was decided on.
        order = load(tx, [order_id]).get(order_id)
        if order is None and archived_as(tx, order_id, merchant):
            return NotCancelled("It is at its end, and in the archive.")
        if order is None or merchant not in {None, order.merchant}:
            return None
        decided = interventions.cancel(tx, engine.registry, order_id, now, reason, by=by)
        if decided.what == Decision.ACCEPTED:
            _note(tx, order, now, by=by, action="cancel", reason=reason)
        if decided.fee:
            payments.note_fee(tx, order_id, decided.fee)
        return _say(tx, engine.registry, order, decided)

    return await engine.relay.commit(work)


async def redrive(
    engine: Engine, order_id: str, merchant: str | None, *, by: Actor = NOBODY
) -> Intervention | None:
    """Let a parked order take its step again; None: there is no such order of this merchant."""
    return await _decide(
        engine,
        order_id,
        merchant,
        lambda tx, registry, of, now: interventions.redrive(tx, registry, of, now, by=by),
        partial(_note, by=by, action="redrive"),
    )


async def retry(
    engine: Engine, order_id: str, merchant: str | None, *, by: Actor = NOBODY
) -> Intervention | None:
    """Let a waiting order have its next try now; None: there is no such order of this merchant."""
    return await _decide(
        engine,
        order_id,
        merchant,
        lambda tx, registry, of, now: retrying.retry(tx, registry, of, now, by=by),
        partial(_note, by=by, action="retry"),
        settled=Decision.NOT_WAITING,
    )


async def compensate(
    engine: Engine, order_id: str, merchant: str | None, reason: str, *, by: Actor = NOBODY
) -> Intervention | None:
    """Undo a parked order; None: there is no such order of this merchant."""
    return await _decide(
        engine,
        order_id,
        merchant,
        lambda tx, registry, of, now: interventions.compensate(
            tx, registry, of, now, reason, by=by
        ),
        partial(_note, by=by, action="compensate", reason=reason),
    )


async def discard(
    engine: Engine, order_id: str, merchant: str | None, reason: str, *, by: Actor = NOBODY
) -> Intervention | None:
    """Give a parked order up for good; None: there is no such order of this merchant."""
    return await _decide(
        engine,
        order_id,
        merchant,
        lambda tx, registry, of, now: interventions.discard(tx, registry, of, now, reason, by=by),
        partial(_note, by=by, action="discard", reason=reason),
    )


async def _decide(
    engine: Engine,
    order_id: str,
    merchant: str | None,
    decide: Decide,
    note: Note,
    *,
    settled: Decision = Decision.NOT_PARKED,
) -> Intervention | None:
    """Decide about an order; `settled` is said of one in the archive, which is at its end."""
    now = engine.now()

    def work(tx: Tx) -> Intervention | None:
        order = find(tx, order_id, merchant)
        if order is None:
            return Intervention(settled) if archived_as(tx, order_id, merchant) else None
        decided = decide(tx, engine.registry, order_id, now)
        if decided.what == Decision.ACCEPTED:
            note(tx, order, now)
        return decided

    return await engine.relay.commit(work)


def _note(tx: Tx, order: Order, now: Now, *, by: Actor, action: str, reason: str = "") -> None:
    who = replace(by, why=by.why or reason)
    operator_actions.note(
        tx, who, f"orders.{action}", now.ms, order=order.id, merchant=order.merchant
    )


def _say(
    tx: Tx, registry: Registry, order: Order, decided: Intervention
) -> Cancelled | NotCancelled:
    flow = registry.flow(order.flow)
    if decided.what == Decision.ACCEPTED:
        return _cancelled(tx, order, decided.undoes, decided.fee, decided.status)
    if decided.what == Decision.ALREADY and order.ending != OrderStatus.REFUSED:
        payment = payments.of_order(tx, order.id)
        left = undone_by(flow, Place(order.position + 1))
        return _cancelled(tx, order, left, payment.fee if payment else 0)
    if order.ending == OrderStatus.REFUSED:
        return NotCancelled(f"It was refused ({order.reason}): nothing is left to cancel.")
    if order.status == OrderStatus.COMPLETED:
        return NotCancelled("It is completed.")
    if order.ending == OrderStatus.REFUNDED:
        return NotCancelled("It was completed, and its money is given back.")
    return NotCancelled(f"{flow.cancel_until} has begun, and from there it only goes forward.")


def _cancelled(
    tx: Tx, order: Order, steps: tuple[str, ...], fee: int, left: OrderStatus | None = None
) -> Cancelled:
    outcome = PART_REFUND if fee else _outcome(tx, order, steps)
    returned = 0 if outcome == NOTHING_TO_RETURN else order.total - fee
    return Cancelled(outcome, steps, fee, returned, order.currency, left or order.status)


def _is_called(tx: Tx, order: Order) -> bool:
    return any(last.is_open for last in attempts.latest(tx, [order.id]).of(order.id))


def _outcome(tx: Tx, order: Order, steps: tuple[str, ...]) -> str:
    if not order.total:
        return NOTHING_TO_RETURN
    payment = payments.of_order(tx, order.id)
    if payment and payment.captured:
        return REFUND
    if REFUND_STEP in steps:
        # Of what is being taken now; a step that awaits another card has taken nothing.
        return REFUND if _is_called(tx, order) else VOID if payment else NOTHING_TO_RETURN
    return VOID if payment or steps else NOTHING_TO_RETURN
