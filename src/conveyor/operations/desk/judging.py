"""Whether what stopped an order is still to be done, judged against the order as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from conveyor.core import attempts
from conveyor.core.attempts import Attempts
from conveyor.core.bound import full_name
from conveyor.core.call_state import CallState
from conveyor.core.engine import Engine
from conveyor.core.group_order import before
from conveyor.core.interventions import pivot_is_done
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.place import due_step
from conveyor.core.routing_slip import service_of
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.operations.desk.members import Member

_other = orders.alias()
_AGAIN = (
    sa.select(orders.c.id, sa.func.min(_other.c.id))
    .join(
        _other,
        sa.and_(
            _other.c.reference == orders.c.reference,
            _other.c.merchant == orders.c.merchant,
            _other.c.customer == orders.c.customer,
            _other.c.total == orders.c.total,
            _other.c.id > orders.c.id,
            _other.c.ending == sa.text("''"),
            _other.c.reference != sa.text("''"),
        ),
    )
    .where(orders.c.id.in_(sa.bindparam("ids", expanding=True)))
    .group_by(orders.c.id)
)


class Verdict(StrEnum):
    """What there is to be said of letting an order take its step again."""

    APPLICABLE = "still applicable"
    DONE = "already done"
    """Its step has taken effect: to take it again takes note of that, and does nothing twice."""
    OVERTAKEN = "overtaken"
    """Something else has come of what was wanted."""
    UNSAFE = "unsafe"


HELD_BACK = frozenset({Verdict.OVERTAKEN, Verdict.UNSAFE})
"""These are not redriven together with others: each needs somebody who looks at it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict; `why` is a phrase."""

    verdict: Verdict
    why: str


def judge(
    tx: Tx, engine: Engine, them: Sequence[Member], made: Attempts | None = None
) -> dict[str, Judgement]:
    """Judge these orders, by their ids."""
    ids = [it.order.id for it in them]
    if not ids:
        return {}
    calls = attempts.latest(tx, ids) if made is None else made
    again = {row[0]: str(row[1]) for row in tx.execute(_AGAIN, {"ids": ids})}
    return {it.order.id: _judge(tx, engine, it, calls, again.get(it.order.id, "")) for it in them}


def _judge(tx: Tx, engine: Engine, it: Member, calls: Attempts, again: str) -> Judgement:
    order, step = it.order, it.parked.step
    if unsafe := _is_unsafe(engine, order, step, calls):
        return Judgement(Verdict.UNSAFE, unsafe)
    if overtaken := _is_overtaken(engine, order, step, again):
        return Judgement(Verdict.OVERTAKEN, overtaken)
    last = calls.last(order.id, step)
    if last and last.is_open:
        why = f"the provider is asked first what became of call {last.attempt}"
        return Judgement(Verdict.APPLICABLE, why)
    if last and last.state == CallState.ANSWERED and _ends_with_its_call(it):
        return Judgement(Verdict.DONE, f"its provider has answered call {last.attempt}")
    if _has_happened(tx, engine, order, step):
        return Judgement(Verdict.DONE, f"{step} has happened, which a redrive takes note of")
    front = before(tx, order)
    turn = f", after order {front.order_id} of its message group" if front else ""
    return Judgement(Verdict.APPLICABLE, f"takes {step} again{turn}")


def _is_overtaken(engine: Engine, order: Order, step: str, again: str) -> str:
    """Say what has come of it instead; '' for nothing."""
    due = due_step(engine.registry.flows, order)
    if due != step:
        return f"it is owed {due} now"
    if again and not order.backwards:
        return f"order {again} of the same customer, reference and sum was placed after it"
    return ""


def _is_unsafe(engine: Engine, order: Order, step: str, calls: Attempts) -> str:
    """Say why it cannot go on here; '' where it can."""
    if order.flow not in engine.registry.flows:
        return f"its flow, {order.flow}, is not installed here"
    theirs = engine.providers.called_by(service_of(step))
    name = calls.called(order.id, theirs.services)
    if name and name not in theirs.bound.by_name:
        return f"it has called {full_name(theirs.port, name)}, which is not bound any more"
    return ""


def _has_happened(tx: Tx, engine: Engine, order: Order, step: str) -> bool:
    if order.backwards or engine.registry.flow(order.flow).pivot != step:
        return False
    return pivot_is_done(tx, engine.registry, order)


def _ends_with_its_call(it: Member) -> bool:
    """One that awaited an answer from outside has called before; so has one at a later stage."""
    return it.parked.was != OrderStatus.AWAITING and not it.order.stage and not it.order.begun
