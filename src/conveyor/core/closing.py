"""The second transaction of a call: `close_group` takes what providers answered, or did not.

A yes is recorded at once, whoever brings it. A no, a certain failure or nothing found settles an
attempt only where nobody else can be calling with its key any more: until then it stays open.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from conveyor.core import calls, timeline
from conveyor.core.calling import Calling, Failed, NotCalled, NothingFound
from conveyor.core.calls import Attempt
from conveyor.core.faults import Case, Desk, faults_of, tries
from conveyor.core.handling import (
    gather_all,
    gather_alone,
    hold,
    owed_step,
    turn_back_now,
)
from conveyor.core.order import Order, load
from conveyor.core.outcome import Again, Awaiting, Outcome
from conveyor.core.settling import settle
from conveyor.core.transaction import Tx
from conveyor.core.verdict import Handled, Stale, Verdict

log = logging.getLogger(__name__)

NOT_GIVEN = (Failed, NotCalled, NothingFound)


@dataclass(frozen=True, slots=True)
class Called:
    """A call that has ended, with what it gave, and how often the message had been received."""

    calling: Calling
    result: object
    receive_count: int


@dataclass(frozen=True, slots=True)
class _Ended:
    """A call that has ended for an order that still waits for it.

    `last` is its attempt as it is now; None where that need not be read: the write is fenced.
    """

    case: Case
    calling: Calling
    last: Attempt | None

    @property
    def alone(self) -> bool:
        """Whether nobody else can be calling with this key, or have done so unknown to us."""
        return self.calling.alone and not self.was_taken_up

    @property
    def was_taken_up(self) -> bool:
        """Whether another has taken the attempt up since."""
        return self.last is not None and self.last.taken != self.calling.taken

    def end(self, state: str, *, over: bool = True) -> None:
        """Write what became of the attempt."""
        case = self.case
        calls.end(case.tx, self.calling, self.last, state, case.desk.now, over=over)

    def ask_later(self) -> Verdict:
        """Leave it open, and ask once whoever else had it can do nothing with it any more.

        That is no fault, and costs no try.
        """
        self.end(calls.UNKNOWN)
        last, until = self.last, self.calling.others_until
        if last is not None and self.was_taken_up:
            until = last.may_run_until
        self.case.note(timeline.NOTED, {"what": "an earlier call may still take effect"})
        return hold(self.case, max(until, self.case.desk.now.ms))


def close_group(tx: Tx, desk: Desk, group: Sequence[Called]) -> list[Verdict]:
    """Take what providers answered, or did not."""
    loaded = load(tx, [called.calling.order.id for called in group])
    gather_all(tx, desk, [(o, owed_step(desk.registry, o)) for o in loaded.values()])
    attempts = _attempts(tx, desk, group)
    known = faults_of(tx, [(loaded[c.calling.order.id], c.receive_count) for c in group])
    verdicts: list[Verdict] = []
    seen: set[str] = set()
    for called in group:
        calling = called.calling
        order = loaded[calling.order.id]
        case = Case(tx, desk, order, calling.step_name, *tries(known, order, called.receive_count))
        last = attempts.get((order.id, calling.step_name))
        if order.id in seen or not _waits_for(order, calling, last):
            _look_at_late(case, called)
            verdicts.append(Stale())  # another copy of the token recorded this very call
            continue
        seen.add(order.id)
        verdicts.append(_close(_Ended(case, calling, last), called))
    return verdicts


def _attempts(tx: Tx, desk: Desk, group: Sequence[Called]) -> Mapping[tuple[str, str], Attempt]:
    """Read the attempts of a group, but for those with a yes: the fence of its write is enough."""
    ids = [c.calling.order.id for c in group if desk.isolate or not _is_yes(c)]
    return calls.latest(tx, ids) if ids else {}


def _is_yes(called: Called) -> bool:
    result = called.result
    return not isinstance(result, NOT_GIVEN) and called.calling.step.took_effect(result)


def _waits_for(order: Order, calling: Calling, last: Attempt | None) -> bool:
    """Whether the order is where the call left it, and the attempt open."""
    if order.version != calling.order.version:
        return False
    return last is None or (last.attempt == calling.attempt and last.is_open)


def _close(ended: _Ended, called: Called) -> Verdict:
    case, calling, result = ended.case, ended.calling, called.result

    def work() -> Verdict:
        match result:
            case Failed():
                return _failed(ended, result)
            case NotCalled():
                return _call_anew(ended)
            case NothingFound():
                return _found_nothing(ended)
        gather_alone(case)
        yes = _is_yes(called)
        if not yes and not ended.alone:
            return ended.ask_later()
        ended.end(calls.ANSWERED if yes else calls.DECLINED)
        return _settled(case, calling.step.record(case.tx, case.order, result, case.desk.now))

    return case.guard(work)


def _settled(case: Case, outcome: Outcome) -> Verdict:
    desk, order = case.desk, case.order
    if order.cancelling:
        early = order.position < desk.registry.flow(order.flow).last_cancellable
        if isinstance(outcome, Again) or (early and isinstance(outcome, Awaiting)):
            return turn_back_now(case, begun=True)
    settle(case.tx, desk.registry, order, outcome, desk.now, attempt=case.attempt)
    return Handled()


def _failed(ended: _Ended, failed: Failed) -> Verdict:
    case = ended.case
    if failed.certain and ended.alone:
        ended.end(calls.SPENT if failed.spent else calls.NOT_APPLIED)
        if case.order.cancelling:
            return turn_back_now(case)
        # A message's receives do not count keys: it may be another message each time.
        last_key = failed.spent and ended.calling.attempt % case.desk.retries.max_receives == 0
        return case.fault(failed.error, last_try=last_key)
    if failed.spent:
        return ended.ask_later()
    ended.end(calls.UNKNOWN, over=failed.certain or not failed.sent)
    return case.fault(failed.error, timeline.UNKNOWN)


def _call_anew(ended: _Ended) -> Verdict:
    """Nothing was sent: take the attempt up with a new grant, unless the order is to turn back."""
    case, calling, last = ended.case, ended.calling, ended.last
    order, desk = case.order, case.desk
    if order.cancelling and not ended.alone:
        return ended.ask_later()
    if order.cancelling:
        ended.end(calls.NOT_APPLIED)
        return turn_back_now(case)
    assert last is not None  # noqa: S101 - read for whatever is not an answer
    if not ended.was_taken_up:
        last = replace(last, may_run_until=calling.others_until)
    request = calls.Request(order, calling.step_name, calling.step, calling.payload)
    return calls.take_up(case.tx, request, last, desk.now, desk.grant, ask_only=False)


def _found_nothing(ended: _Ended) -> Verdict:
    """It was only asked about: the order is to turn back, or its step decided without a call."""
    case = ended.case
    if not ended.alone:
        return ended.ask_later()
    ended.end(calls.NOT_APPLIED)
    if case.order.cancelling:
        return turn_back_now(case)
    gather_alone(case)
    decided = ended.calling.step.prepare(case.tx, case.order, case.desk.now)
    if isinstance(decided, Outcome):
        return _settled(case, decided)
    return hold(case, case.desk.now.ms)  # it has thought again: the step is taken anew


def _look_at_late(case: Case, called: Called) -> None:
    """Say it loudly where a call took effect after it was written that it never would."""
    calling, result = called.calling, called.result
    if not _is_yes(called):
        return
    of_step = [a for a in calls.of_order(case.tx, case.order.id) if a.step == calling.step_name]
    if any(a.attempt == calling.attempt and a.state in calls.IN_EFFECT for a in of_step):
        return
    log.error("%s took effect, and was taken for not applied: %r", calling.key, result)
    case.note(timeline.NOTED, {"what": f"{calling.key} took effect after it was given up"})
