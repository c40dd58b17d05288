"""The two transactions of a group: `open_group` takes tokens, `close_group` takes answers.

Both first run the group bare. If anything raises, the caller rolls back and runs the group again
with `isolate`, each order behind a savepoint of its own, so that one order's bug does not fail its
neighbours; savepoints for every order of every group would cost more than the work itself.
"""

from __future__ import annotations

import traceback
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import sqlalchemy as sa

from conveyor.messaging import calls, timeline
from conveyor.messaging import order as status
from conveyor.messaging.calls import Attempt, Calling, Failed
from conveyor.messaging.errors import UnknownStepError
from conveyor.messaging.message import Token
from conveyor.messaging.order import Order, load
from conveyor.messaging.outcome import Outcome
from conveyor.messaging.parking import park
from conveyor.messaging.registry import Registry
from conveyor.messaging.retries import RetryPolicy
from conveyor.messaging.routing_slip import Place, owed, turn_back
from conveyor.messaging.settling import move, settle
from conveyor.messaging.step import CallStep, LocalStep, Now
from conveyor.messaging.tables import orders
from conveyor.messaging.transaction import Tx
from conveyor.messaging.verdict import Faulted, Handled, Poisoned, Stale, Verdict

CRASHED_CAUSE = "received too often without a result: it may stop the process that takes it"

_EXPECT = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("b_id"))
    .values(expected_at=sa.bindparam("b_expected_at"))
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A token and how often its message has been received."""

    token: Token
    receive_count: int


@dataclass(frozen=True, slots=True)
class Desk:
    """What both transactions need beside the transaction itself."""

    registry: Registry
    retries: RetryPolicy
    random: Random
    now: Now
    isolate: bool

    def attempt(self, tx: Tx, work: Callable[[], Verdict], fault: Callable[..., Verdict]) -> Verdict:
        """Run one order's work; in an isolated group, a raise becomes that order's fault."""
        if not self.isolate:
            return work()
        try:
            with tx.savepoint():
                return work()
        except Exception as error:  # noqa: BLE001 - a bug in one order's step is its own fault
            return fault(error)


def open_group(tx: Tx, desk: Desk, taken: Sequence[Taken]) -> list[Verdict]:
    """Take tokens: drop the stale, run local steps, write the intents of calls."""
    ids = list({t.token.order_id for t in taken})
    loaded = load(tx, ids)
    fresh = [o for o in loaded.values() if o.status not in status.SETTLED]
    attempts = calls.latest(tx, [o.id for o in fresh if _is_call(desk, o)])
    _take_locks(tx, desk, fresh)
    verdicts: list[Verdict] = []
    seen: set[str] = set()
    for t in taken:
        order = loaded.get(t.token.order_id)
        if order is None:
            verdicts.append(Poisoned(f"no order {t.token.order_id}"))
        elif order.version != t.token.version or order.id in seen:
            timeline.note(
                tx,
                order.id,
                t.token.version,
                desk.now.ms,
                timeline.DUPLICATE_DROPPED,
                step=t.token.step,
                attempt=t.receive_count,
            )
            verdicts.append(Stale())
        else:
            seen.add(order.id)
            verdicts.append(_open(tx, desk, order, t, attempts))
    return verdicts


def close_group(
    tx: Tx, desk: Desk, results: Sequence[tuple[Calling, Any | Failed, int]]
) -> list[Verdict]:
    """Take what providers answered, or did not; each result comes with its receive count."""
    loaded = load(tx, [calling.order.id for calling, _, _ in results])
    verdicts: list[Verdict] = []
    seen: set[str] = set()
    for calling, result, receive_count in results:
        order = loaded[calling.order.id]
        if order.version != calling.order.version or order.id in seen:
            verdicts.append(Stale())  # another copy of the token recorded this very call
            continue
        seen.add(order.id)
        verdicts.append(_close(tx, desk, order, calling, result, receive_count))
    return verdicts


def _open(
    tx: Tx,
    desk: Desk,
    order: Order,
    taken: Taken,
    attempts: dict[tuple[str, str], Attempt],
) -> Verdict:
    step_name, count = taken.token.step, taken.receive_count

    def fault(error: Exception) -> Verdict:
        return _fault(tx, desk, order, step_name, count, error)

    def work() -> Verdict:
        if count > desk.retries.max_receives:
            return _park(tx, desk, order, step_name, count, CRASHED_CAUSE)
        due = owed(desk.registry.flow(order.flow), Place(order.position, order.ending))
        if due != step_name:
            return Poisoned(f"order {order.id} is owed {due!r}, not {step_name!r}")
        step = desk.registry.step(step_name)
        outcome: Outcome
        if order.status == status.AWAITING:
            outcome = step.overdue(tx, order, desk.now)
        elif isinstance(step, LocalStep):
            outcome = step.run(tx, order, desk.now)
        elif isinstance(step, CallStep):
            prepared = step.prepare(tx, order, desk.now)
            if not isinstance(prepared, Outcome):
                last = attempts.get((order.id, step_name))
                return calls.intend(tx, order, step_name, step, prepared, last, desk.now)
            outcome = prepared
        else:
            raise UnknownStepError(step_name)
        return Handled(settle(tx, desk.registry, order, outcome, desk.now, attempt=count))

    return desk.attempt(tx, work, fault)


def _close(  # noqa: PLR0913 - the facts of one call
    tx: Tx, desk: Desk, order: Order, calling: Calling, result: Any | Failed, count: int
) -> Verdict:
    def fault(error: Exception) -> Verdict:
        return _fault(tx, desk, order, calling.step_name, count, error)

    def work() -> Verdict:
        if isinstance(result, Failed):
            state = calls.NOT_APPLIED if result.certain else calls.UNKNOWN
            calls.end(tx, calling, state, desk.now)
            if result.certain and order.cancelling:
                flow = desk.registry.flow(order.flow)
                back = turn_back(flow, Place(order.position), status.CANCELLED)
                return Handled(move(tx, desk.registry, order, back, desk.now))
            event = timeline.FAULT if result.certain else timeline.UNKNOWN
            return _fault(tx, desk, order, calling.step_name, count, result.error, event)
        calls.end(tx, calling, calls.ANSWERED, desk.now)
        outcome = calling.step.record(tx, order, result, desk.now)
        return Handled(settle(tx, desk.registry, order, outcome, desk.now, attempt=count))

    return desk.attempt(tx, work, fault)


def _fault(  # noqa: PLR0913 - the facts of one fault
    tx: Tx,
    desk: Desk,
    order: Order,
    step_name: str,
    count: int,
    error: Exception,
    event: str = timeline.FAULT,
) -> Verdict:
    cause = f"{type(error).__name__}: {error}"
    timeline.note(
        tx,
        order.id,
        order.version,
        desk.now.ms,
        event,
        step=step_name,
        attempt=count,
        detail={"cause": cause},
    )
    if desk.retries.exhausted(count):
        trace = "".join(traceback.format_exception(error))
        return _park(tx, desk, order, step_name, count, cause, trace)
    rest = desk.retries.rest_seconds(count, desk.random)
    tx.later(_EXPECT, {"b_id": order.id, "b_expected_at": desk.now.ms + rest * 1000})
    return Faulted(rest)


def _park(  # noqa: PLR0913 - what an operator needs to know
    tx: Tx,
    desk: Desk,
    order: Order,
    step_name: str,
    count: int,
    cause: str,
    trace: str = "",
) -> Verdict:
    park(tx, order, desk.now, step=step_name, cause=cause, attempts=count, traceback=trace)
    timeline.note(
        tx,
        order.id,
        order.version,
        desk.now.ms,
        timeline.PARKED,
        step=step_name,
        attempt=count,
        detail={"cause": cause},
    )
    place = Place(order.position, order.ending)
    return Handled(move(tx, desk.registry, order, place, desk.now, parking=True))


def _is_call(desk: Desk, order: Order) -> bool:
    flow = desk.registry.flows.get(order.flow)
    name = owed(flow, Place(order.position, order.ending)) if flow else ""
    return isinstance(desk.registry.steps.get(name), CallStep)


def _take_locks(tx: Tx, desk: Desk, group: Sequence[Order]) -> None:
    by_step: dict[str, list[Order]] = defaultdict(list)
    for order in group:
        flow = desk.registry.flows.get(order.flow)
        if flow:
            by_step[owed(flow, Place(order.position, order.ending))].append(order)
    for name, members in sorted(by_step.items()):
        step = desk.registry.steps.get(name)
        if isinstance(step, LocalStep) and step.lock:
            step.lock(tx, members)
