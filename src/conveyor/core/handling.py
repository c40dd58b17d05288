"""The first transaction of a group: `open_group` takes tokens; for the second see `closing`.

Both first run the group bare. If anything raises, the caller rolls back and runs the group again
with `isolate`, each order behind a savepoint of its own, so that one order's bug does not fail its
neighbours; savepoints for every order of every group would cost more than the work itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conveyor.core import calls, outbox, timeline
from conveyor.core import order as status
from conveyor.core.calling import Calling
from conveyor.core.calls import Attempt
from conveyor.core.errors import UnknownStepError
from conveyor.core.faults import Case, Desk, faults_of, tries
from conveyor.core.line import Line
from conveyor.core.message import Token
from conveyor.core.order import Order, load
from conveyor.core.outbox import Owed
from conveyor.core.outcome import Outcome, Park
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Place, begin, owed, service_of, turn_back
from conveyor.core.settling import move, place_of, settle
from conveyor.core.step import CallStep, Gather, LocalStep
from conveyor.core.transaction import Tx
from conveyor.core.turns import Turn
from conveyor.core.verdict import Faulted, Handled, Held, Orphaned, Poisoned, Stale, Verdict

CRASHED_CAUSE = "received too often without a result: it may stop the process that takes it"

ORPHAN_SECONDS = 60
"""How old a token of an order that does not exist must be until it is dropped.

It is safe at any age: a token is sent after the commit that owes it, by whoever was told that it
stands, so no placement can be under way behind it. What has no row was in the database and is no
longer, as after a restore; should it come back, its row says what it is owed. The minute is for
what nobody has thought of: until then it is given back, such as to a worker of another database.
"""

Attempts = Mapping[tuple[str, str], Attempt]


@dataclass(frozen=True, slots=True)
class Taken:
    """A token, how often its message has been received, this time too, and when it was sent."""

    token: Token
    receive_count: int
    sent_at_ms: int


def open_group(tx: Tx, desk: Desk, taken: Sequence[Taken]) -> list[Verdict]:
    """Take tokens: drop the stale, run local steps, write the intents of calls."""
    loaded = load(tx, list({t.token.order_id for t in taken}))
    live = {o.id: owed_step(desk.registry, o) for o in loaded.values() if is_live(o)}
    calling_out = [i for i, step in live.items() if _calls_out(desk, step)]
    attempts = calls.latest(tx, calling_out) if calling_out else {}
    gather_all(tx, desk, [(loaded[i], step) for i, step in live.items()])
    line = Line(tx, [loaded[i] for i in live])
    of = [(loaded.get(t.token.order_id), t.receive_count) for t in taken]
    known = faults_of(tx, [(order, count) for order, count in of if order])
    verdicts: dict[int, Verdict] = {}
    seen: set[str] = set()
    for at in _in_turn(taken, loaded):
        token, order = taken[at].token, loaded.get(taken[at].token.order_id)
        if order is None:
            verdicts[at] = _of_no_order(taken[at], desk.now.ms)
            continue
        case = Case(tx, desk, order, token.step, *tries(known, order, taken[at].receive_count))
        if order.id in seen or not fresh(order, token):
            case.note(timeline.DUPLICATE_DROPPED)
            verdicts[at] = Stale()
            continue
        seen.add(order.id)
        if rest_seconds := line.holds(order):
            verdicts[at] = hold(case, desk.now.ms + round(rest_seconds * 1000))
            continue
        verdicts[at] = verdict = _open(case, live.get(order.id, ""), attempts)
        if isinstance(verdict, Handled):
            line.had_its_turn(order, parked=verdict.parked)
    line.let_come(tx, desk.now.ms)
    return [verdicts[at] for at in range(len(taken))]


def _of_no_order(taken: Taken, now_ms: int) -> Verdict:
    age = now_ms - taken.sent_at_ms
    if age >= ORPHAN_SECONDS * 1000:
        return Orphaned(taken.token.order_id)
    # The queue's clock may be ahead of ours.
    return Faulted(min(ORPHAN_SECONDS, ORPHAN_SECONDS - age // 1000))


def fresh(order: Order, token: Token) -> bool:
    """The fence: a token is only good for the version at which it was owed."""
    return order.version == token.version


def is_live(order: Order) -> bool:
    """Whether the order is on its way: neither at its end nor parked."""
    return order.status not in status.SETTLED


def owed_step(registry: Registry, order: Order) -> str:
    """Name the step that the order is owed; '' when its flow is not installed here."""
    flow = registry.flows.get(order.flow)
    return owed(flow, Place(order.position, order.ending)) if flow else ""


def _open(case: Case, due: str, attempts: Attempts) -> Verdict:
    tx, desk, order = case.tx, case.desk, case.order

    def work() -> Verdict:
        desk.registry.flow(order.flow)  # raises where the flow is not installed: a fault
        if case.traceless > desk.retries.max_receives:
            return case.park(CRASHED_CAUSE)
        if due != case.step:
            return Poisoned(f"order {order.id} is owed {due!r}, not {case.step!r}")
        gather_alone(case)
        last = attempts.get((order.id, case.step))
        if order.cancelling and not (last and last.is_open):
            return turn_back_now(case)
        outcome = _take(case, last)
        if isinstance(outcome, Calling):
            return outcome
        settle(tx, desk.registry, order, outcome, desk.now, attempt=case.attempt)
        return Handled(parked=isinstance(outcome, Park))

    return case.guard(work)


def _take(case: Case, last: Attempt | None) -> Outcome | Calling:
    tx, order, now = case.tx, case.order, case.desk.now
    step = case.desk.registry.step(case.step)
    if order.status == status.AWAITING:
        return step.overdue(tx, order, now)
    if isinstance(step, LocalStep):
        return step.run(tx, order, now)
    if not isinstance(step, CallStep):
        raise UnknownStepError(case.step)
    is_open = last is not None and last.is_open
    # Whoever is to turn back asks for nothing more.
    prepared = None if is_open and order.cancelling else step.prepare(tx, order, now)
    request = calls.Request(order, case.step, step, prepared)
    if last is not None and is_open:
        only_ask = order.cancelling or isinstance(prepared, Outcome)
        return calls.take_up(tx, request, last, now, case.desk.grant, ask_only=only_ask)
    if isinstance(prepared, Outcome):
        return prepared
    return calls.intend(tx, request, last, now, case.desk.grant)


def turn_back_now(case: Case, *, begun: bool = False) -> Verdict:
    """Undo what was done before the step that is owed, and what that has begun, now or before."""
    order, registry = case.order, case.desk.registry
    case.note(timeline.TURNED_BACK)
    place = begin(place_of(order)) if begun else place_of(order)
    back = turn_back(registry.flow(order.flow), place, status.CANCELLED)
    move(case.tx, registry, order, back, case.desk.now)
    return Handled()


def _calls_out(desk: Desk, step: str) -> bool:
    return isinstance(desk.registry.steps.get(step), CallStep)


def hold(case: Case, due_at: int) -> Verdict:
    """Its time has not come: owe the order the same token again, at that time."""
    order = case.order
    turn, queue = Turn(order.group_key, order.sequence), service_of(case.step)
    token = Owed(order.id, order.version, queue, case.step, turn, due_at, now=False, held=True)
    outbox.put(case.tx, token)
    case.expect(due_at)
    return Held()


def _in_turn(taken: Sequence[Taken], loaded: Mapping[str, Order]) -> list[int]:
    """Go through the tokens as they came, but let those of one group come in their turn."""
    turns = [o.sequence if (o := loaded.get(t.token.order_id)) else 0 for t in taken]
    return sorted(range(len(taken)), key=turns.__getitem__)


def gather(tx: Tx, desk: Desk, group: Sequence[tuple[Order, str]]) -> None:
    """Let the steps of a group, and their `also` steps, lock and read once for all of it."""
    members: dict[Gather, list[Order]] = defaultdict(list)
    for order, due in group:
        for name in (due, *_also(desk, order, due)):
            step = desk.registry.steps.get(name)
            if step:
                members[step.gathering].append(order)
    for gathering in sorted(members, key=lambda g: g.__qualname__):
        gathering(tx, members[gathering])


def gather_all(tx: Tx, desk: Desk, group: Sequence[tuple[Order, str]]) -> None:
    """Do so for a group; one that is run again does not fail by it."""
    if not desk.isolate:
        gather(tx, desk, group)
        return
    # For the sake of one order of locks. Each gathers again for itself, where it is seen whose
    # fault it is when that raises.
    try:
        with tx.savepoint():
            gather(tx, desk, group)
    except Exception as error:
        if tx.unable(error):
            raise


def gather_alone(case: Case) -> None:
    """Do so for one order of a group that is run again."""
    if case.desk.isolate:
        gather(case.tx, case.desk, [(case.order, owed_step(case.desk.registry, case.order))])


def _also(desk: Desk, order: Order, due: str) -> tuple[str, ...]:
    flow = desk.registry.flows.get(order.flow)
    if flow is None or order.backwards or not due:
        return ()
    return flow.steps[order.position].also
