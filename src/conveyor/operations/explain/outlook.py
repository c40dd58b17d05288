"""What an order waits for now, and what somebody can do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from conveyor.commerce.orders.money import in_words as money
from conveyor.commerce.payments.store import of_order
from conveyor.core import paused_services
from conveyor.core.attempts import Attempt
from conveyor.core.call_state import CallState
from conveyor.core.group_order import before
from conveyor.core.interventions import pivot_is_done, too_late_to_cancel
from conveyor.core.order import Order
from conveyor.core.order_status import TERMINAL, OrderStatus
from conveyor.core.place import place_of
from conveyor.core.registry import Registry
from conveyor.core.retrying import is_waiting
from conveyor.core.routing_slip import Place, service_of, step_at, undone_by
from conveyor.core.tables import outbox
from conveyor.core.transaction import Tx
from conveyor.operations.explain.story import Choice, Wait
from conveyor.operations.refunds import why_not_refunded, would_refund
from conveyor.system.named_ports import Unbound

_OWED = sa.select(outbox.c.due_at, outbox.c.waits_for).where(
    outbox.c.order_id == sa.bindparam("of_order")
)


GIVES_BACK = frozenset({"cancel", "compensate"})


@dataclass(frozen=True, slots=True)
class Known:
    """What a process knows: its flows and steps, and who is not bound of those it is asked for."""

    registry: Registry
    unbound: Callable[[str], Unbound | None]


def waits_for(
    tx: Tx, known: Known, order: Order, attempts: Sequence[Attempt], now_ms: int
) -> Wait | None:
    """Say what an order waits for; None at its end."""
    registry = known.registry
    if order.status in TERMINAL:
        return None
    if order.status == OrderStatus.PARKED:
        return Wait("an operator's decision")
    if order.flow not in registry.flows:
        return Wait(f"its flow, {order.flow}, which is not installed here")
    due = step_at(registry.flow(order.flow), place_of(order))
    if order.status == OrderStatus.AWAITING:
        return Wait(f"the answer that {due} awaits", order.expected_at)
    wait = _behind(tx, order) or _waits_for_service(tx, due)
    wait = wait or _waits_for_provider(tx, known, order)
    return wait or _waits_at(tx, order, attempts, due, now_ms)


def _waits_for_service(tx: Tx, due: str) -> Wait | None:
    service = service_of(due)
    pause = paused_services.find(tx, service)
    if pause is None:
        return None
    todo = f"To let it go on: `conveyor services resume {service}`."
    return Wait(f"service {service}, which {pause.says_to_merchants}", todo=todo)


def _waits_for_provider(tx: Tx, known: Known, order: Order) -> Wait | None:
    owed = tx.execute(_OWED, {"of_order": order.id}).one_or_none()
    if owed is None or not (provider := owed.waits_for):
        return None
    if (unbound := known.unbound(provider)) is None:
        return Wait(f"its provider ({provider}), which answers nobody and is probed")
    return Wait(
        f"its provider ({provider}), which it has called and which is not bound any more",
        todo=f"To let it go on, {unbound.todo}.",
    )


def _waits_at(tx: Tx, order: Order, attempts: Sequence[Attempt], due: str, now_ms: int) -> Wait:
    rest = order.expected_at if order.expected_at > now_ms else None
    if call := _open_call(attempts, due):
        if call.state == CallState.INTENDED:
            return Wait(f"the provider's answer to call {call.attempt} of {due}")
        return Wait(f"the provider to say what became of call {call.attempt} of {due}", rest)
    return Wait(f"the next try of {due}", rest) if rest else _waits_for_message(tx, order, due)


def _behind(tx: Tx, order: Order) -> Wait | None:
    front = before(tx, order)
    if front is None:
        return None
    others = f" and {front.count - 1} more, which come" if front.count > 1 else ", which comes"
    state = " (parked)" if front.status == OrderStatus.PARKED else ""
    return Wait(f"order {front.order_id}{state}{others} before it in its message group")


def _waits_for_message(tx: Tx, order: Order, due: str) -> Wait:
    queue = service_of(due)
    unsent = tx.execute(_OWED, {"of_order": order.id}).scalar()
    if unsent is not None:
        what = f"a process that has {due} in hand, or else its message to be sent to queue {queue}"
        return Wait(what, int(unsent))
    return Wait(f"queue {queue} to hand out its message for {due}")


def choices(
    tx: Tx, registry: Registry, order: Order, attempts: Sequence[Attempt]
) -> tuple[Choice, ...]:
    """Say what can be done; nothing while it is being undone, or once that is its end."""
    if order.status == OrderStatus.PARKED:
        return _of_parked(tx, registry, order, attempts)
    if order.status == OrderStatus.COMPLETED:
        can = why_not_refunded(tx, registry, order) is None
        return (Choice("refund", would_refund(tx, registry, order)),) if can else ()
    return () if (cancel := to_cancel(tx, registry, order, attempts)) is None else (cancel,)


def to_retry(
    tx: Tx, registry: Registry, order: Order, attempts: Sequence[Attempt], now_ms: int
) -> Choice | None:
    """Say what a next try at once would do; None: the order does not rest until one."""
    if not is_waiting(tx, order, now_ms):
        return None
    due = step_at(registry.flow(order.flow), place_of(order))
    if call := _open_call(attempts, due):
        does = f"asks its provider now what became of call {call.attempt} of {due}"
    else:
        does = f"takes {due} now, and not only once its rest is over"
    owed = tx.execute(_OWED, {"of_order": order.id}).one_or_none()
    if owed is not None and owed.waits_for:
        does += (
            f"; while {owed.waits_for} is paused, that is within the minute in which it is probed"
        )
    return Choice("retry", does)


def with_refund(tx: Tx, registry: Registry, order: Order, choice: Choice) -> Choice:
    """Say of what undoes a paid order how much of its money that gives back."""
    payment = of_order(tx, order.id) if choice.what in GIVES_BACK else None
    if payment is None or not payment.captured:
        return choice
    is_parked = order.status == OrderStatus.PARKED
    fee = 0 if is_parked else registry.flow(order.flow).fee_of(place_of(order), order.total)
    back = payment.captured - payment.refunded - max(fee, payment.fee)
    if back <= 0:
        return choice
    return replace(choice, does=f"{choice.does}, and gives {money(back, order.currency)} back")


def to_cancel(
    tx: Tx, registry: Registry, order: Order, attempts: Sequence[Attempt]
) -> Choice | None:
    """Say what cancelling an order would do; None: it is too late, or it is being undone."""
    if order.status in TERMINAL or order.backwards or order.cancelling:
        return None
    if too_late_to_cancel(tx, registry, order):
        return None
    flow = registry.flow(order.flow)
    is_open = _open_call(attempts, flow.steps[order.position].name) is not None
    does = _runs(undone_by(flow, _end(order, after=is_open)))
    fee = 0 if order.status == OrderStatus.PARKED else flow.fee_of(place_of(order), order.total)
    if fee:
        does += f", and keeps {money(fee, order.currency)} of it"
    return Choice("cancel", does)


def _of_parked(
    tx: Tx, registry: Registry, order: Order, attempts: Sequence[Attempt]
) -> tuple[Choice, ...]:
    flow = registry.flow(order.flow)
    due = step_at(flow, place_of(order))
    is_open = _open_call(attempts, due) is not None
    left = undone_by(flow, _end(order, after=is_open and not order.backwards))
    redrive = Choice("redrive", f"takes {due} again")
    if order.ending == OrderStatus.REFUNDED:
        keeps = f"gives the refund up: it is completed again, and {_keeps(order)}"
        return (redrive,) if is_open else (redrive, Choice("discard", keeps))
    if flow.is_past_pivot(place_of(order)):
        writes_off = f"writes off {money(order.total, order.currency)}, and {_runs(left)}"
        return (redrive,) if is_open else (redrive, Choice("discard", writes_off))
    if pivot_is_done(tx, registry, order):
        return (redrive,)  # which takes note of it
    if not left and not is_open:
        end = order.ending or OrderStatus.CANCELLED
        ends = f"ends it as {end}: nothing is left to undo, so there is nothing to compensate"
        return redrive, Choice("discard", ends)
    verb = "goes on undoing: " if order.backwards else ""
    return redrive, Choice("compensate", verb + _runs(left))


def _keeps(order: Order) -> str:
    return f"its {money(order.total, order.currency)} are kept"


def _end(order: Order, *, after: bool) -> Place:
    """Where it turns back: before or after the step that is owed."""
    return Place(order.position + 1) if after else place_of(order)


def _open_call(attempts: Sequence[Attempt], step: str) -> Attempt | None:
    of_step = [attempt for attempt in attempts if attempt.step == step]
    last = max(of_step, key=lambda attempt: attempt.attempt, default=None)
    return last if last and last.is_open else None


def _runs(steps: Sequence[str]) -> str:
    return f"runs {', '.join(steps)}" if steps else "undoes nothing, for nothing was done"
