"""The second transaction of a call: `record_results` takes what providers answered, or did not.

A yes is recorded at once, whoever brings it. A no, a certain failure or nothing found settles an
attempt only where nobody else can be calling with its key any more: until then it stays open.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from conveyor.core import attempts, calls
from conveyor.core.after_commit import AfterCommit
from conveyor.core.applying_outcomes import apply_outcome
from conveyor.core.attempts import Attempt, Attempts
from conveyor.core.call_state import IN_EFFECT, CallState
from conveyor.core.calling import Failed, HeldBack, NotCalled, NothingFound
from conveyor.core.delivery import Delivery
from conveyor.core.disposition import HANDLED, ORPHANED, STALE, Disposition
from conveyor.core.faults import fault, faults_of, guard, tries
from conveyor.core.gathering import gather_all, gather_alone
from conveyor.core.group_context import GroupContext
from conveyor.core.order import Order, load
from conveyor.core.outcome import Again, Awaiting, Outcome
from conveyor.core.place import due_step
from conveyor.core.provider_call import ProviderCall
from conveyor.core.taking_tokens import turn_back_now
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.core.waiting import hold, wait_for

log = logging.getLogger(__name__)

NOT_GIVEN = (Failed, HeldBack, NotCalled, NothingFound)


def record_results(
    tx: Tx, context: GroupContext, group: Sequence[ProviderCall]
) -> AfterCommit[list[Disposition]]:
    """Take what providers answered, or did not."""
    loaded = load(tx, [call.order.id for call in group])
    gather_all(tx, context, [(o, due_step(context.registry.flows, o)) for o in loaded.values()])
    known_attempts = _attempts(tx, context, group)
    of = [(loaded.get(call.order.id), call.in_hand.receives) for call in group]
    known = faults_of(tx, [(order, count) for order, count in of if order])
    dispositions: list[Disposition] = []
    seen: set[str] = set()
    for call in group:
        order = loaded.get(call.order.id)
        if order is None:  # a backup was put back meanwhile
            dispositions.append(ORPHANED)
            continue
        counts = tries(known, order, call.in_hand.receives)
        delivery = Delivery(tx, context, order, call.step_name, *counts, call.in_hand)
        last = known_attempts.last(order.id, call.step_name)
        if order.id in seen or not _waits_for(order, call, last):
            _look_at_late(delivery, call)
            dispositions.append(STALE)  # another copy of the token recorded this very call
            continue
        seen.add(order.id)
        ended = call if last is None else replace(call, recorded=last)
        record = partial(_record, delivery, ended)
        dispositions.append(guard(delivery, record) if context.isolate else record())
    return tx.leave(dispositions)


def _attempts(tx: Tx, context: GroupContext, group: Sequence[ProviderCall]) -> Attempts:
    """Read the attempts of a group, but for those with a yes: the fence of its write is enough."""
    ids = [c.order.id for c in group if context.isolate or not _is_yes(c)]
    return attempts.latest(tx, ids) if ids else Attempts()


def _is_yes(call: ProviderCall) -> bool:
    result = call.result
    return not isinstance(result, NOT_GIVEN) and call.step.took_effect(result)


def _waits_for(order: Order, call: ProviderCall, last: Attempt | None) -> bool:
    """Whether the order is where the call left it, and the attempt open."""
    if order.version != call.order.version:
        return False
    return last is None or (last.attempt == call.attempt and last.is_open)


def _record(delivery: Delivery, call: ProviderCall) -> Disposition:
    result = call.result
    match result:
        case Failed():
            return _failed(delivery, call, result)
        case HeldBack():
            return _held_back(delivery, call)
        case NotCalled():
            return _call_anew(delivery, call)
        case NothingFound():
            return _found_nothing(delivery, call)
    gather_alone(delivery)
    yes = call.step.took_effect(result)
    if not yes and not call.decides:
        return _ask_later(delivery, call)
    _end(delivery, call, CallState.ANSWERED if yes else CallState.DECLINED)
    outcome = call.step.record(delivery.tx, delivery.order, result, delivery.context.now)
    return _settled(delivery, outcome)


def _settled(delivery: Delivery, outcome: Outcome) -> Disposition:
    order, registry = delivery.order, delivery.context.registry
    if order.cancelling:
        early = order.position < registry.flow(order.flow).last_cancellable
        if isinstance(outcome, Again) or (early and isinstance(outcome, Awaiting)):
            return turn_back_now(delivery, begun=True)
    apply_outcome(delivery, outcome)
    return HANDLED


def _failed(delivery: Delivery, call: ProviderCall, failed: Failed) -> Disposition:
    if failed.certain and call.decides:
        _end(delivery, call, CallState.SPENT if failed.spent else CallState.NOT_APPLIED)
        if delivery.order.cancelling:
            return turn_back_now(delivery)
        # A message's receives do not count keys: it may be another message each time.
        last_key = failed.spent and call.attempt % delivery.context.retries.max_receives == 0
        return _blame(delivery, call, failed, TimelineEvent.FAULT, last_try=last_key)
    if failed.spent:
        return _ask_later(delivery, call)
    _end(delivery, call, CallState.UNKNOWN, over=failed.certain or not failed.sent)
    return _blame(delivery, call, failed, TimelineEvent.UNKNOWN)


def _blame(
    delivery: Delivery,
    call: ProviderCall,
    failed: Failed,
    event: TimelineEvent,
    *,
    last_try: bool = False,
) -> Disposition:
    """Blame the order, which costs it a try; but where nobody is answered, blame the provider."""
    provider, error = call.provider, failed.error
    if provider.breaker.is_paused and not failed.spent:
        cause = delivery.context.registry.personal.cause(delivery.order, error)
        return wait_for(delivery, provider, cause)
    return fault(delivery, error, event, last_try=last_try)


def _held_back(delivery: Delivery, call: ProviderCall) -> Disposition:
    """Nothing was sent: what was known of the attempt before is what is known now."""
    if call.known or not call.decides:
        _end(delivery, call, CallState.UNKNOWN)
    else:
        _end(delivery, call, CallState.NOT_APPLIED)
        if delivery.order.cancelling:
            return turn_back_now(delivery)
    return wait_for(delivery, call.provider)


def _call_anew(delivery: Delivery, call: ProviderCall) -> Disposition:
    """Nothing was sent: take the attempt up with a new grant, unless the order is to turn back."""
    last, order, context = call.recorded, delivery.order, delivery.context
    if order.cancelling and not call.decides:
        return _ask_later(delivery, call)
    if order.cancelling:
        _end(delivery, call, CallState.NOT_APPLIED)
        return turn_back_now(delivery)
    assert last is not None  # noqa: S101 - read for whatever is not an answer
    if not call.was_taken_up:
        last = last._replace(may_run_until=call.others_until)
    anew = replace(
        call, order=order, grant=context.grant(call.provider), result=None, recorded=None
    )
    return calls.take_up(delivery.tx, anew, last, context.now, ask_only=False)


def _found_nothing(delivery: Delivery, call: ProviderCall) -> Disposition:
    """It was only asked about: the order is to turn back, or its step decided without a call."""
    if not call.decides:
        return _ask_later(delivery, call)
    _end(delivery, call, CallState.NOT_APPLIED)
    if delivery.order.cancelling:
        return turn_back_now(delivery)
    gather_alone(delivery)
    decided = call.step.prepare(delivery.tx, delivery.order, delivery.context.now)
    if isinstance(decided, Outcome):
        return _settled(delivery, decided)
    return hold(delivery, delivery.context.now.ms)  # it has thought again: the step is taken anew


def _end(delivery: Delivery, call: ProviderCall, state: CallState, *, over: bool = True) -> None:
    calls.end(delivery.tx, call, state, delivery.context.now, over=over)


def _ask_later(delivery: Delivery, call: ProviderCall) -> Disposition:
    """Leave it open, and ask once whoever else had it can do nothing with it any more.

    That is no fault, and costs no try.
    """
    _end(delivery, call, CallState.UNKNOWN)
    until = call.others_until
    if call.recorded is not None and call.was_taken_up:
        until = call.recorded.may_run_until
    delivery.note(TimelineEvent.NOTED, {"what": "an earlier call may still take effect"})
    return hold(delivery, max(until, delivery.context.now.ms))


def _look_at_late(delivery: Delivery, call: ProviderCall) -> None:
    """Say it loudly where a call took effect after it was written that it never would."""
    if not _is_yes(call):
        return
    of_step = [
        a for a in attempts.of_order(delivery.tx, delivery.order.id) if a.step == call.step_name
    ]
    if any(a.attempt == call.attempt and a.state in IN_EFFECT for a in of_step):
        return
    log.error("%s took effect, and was taken for not applied", call.key)
    delivery.note(TimelineEvent.NOTED, {"what": f"{call.key} took effect after it was given up"})
