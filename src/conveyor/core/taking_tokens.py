"""The first transaction of a group: `take_tokens`; for the second see `recording_results`.

Both first run the group bare. If anything raises, the caller rolls back and runs the group again
with `isolate`, each order behind a savepoint of its own, so that one order's bug does not fail its
neighbours; savepoints for every order of every group would cost more than the work itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, cast

from conveyor.core import calls, timeline
from conveyor.core.after_commit import AfterCommit
from conveyor.core.applying_outcomes import apply_outcome
from conveyor.core.archived import archived_among
from conveyor.core.attempts import Attempts, latest
from conveyor.core.delivery import Delivery
from conveyor.core.disposition import (
    HANDLED,
    ORPHANED,
    PARKED,
    STALE,
    Bury,
    Delete,
    Disposition,
    Rest,
)
from conveyor.core.errors import UnknownStepError
from conveyor.core.faults import faults_of, guard, stop_here, tries
from conveyor.core.gathering import gather_all, gather_alone
from conveyor.core.group_context import GroupContext
from conveyor.core.group_order import GroupOrder
from conveyor.core.in_hand import InHand
from conveyor.core.message import NO_ORDER, Token
from conveyor.core.moving import move_order
from conveyor.core.order import Order, load
from conveyor.core.order_status import SETTLED, OrderStatus
from conveyor.core.outcome import Outcome, Park
from conveyor.core.place import due_step, place_of
from conveyor.core.provider_call import ProviderCall
from conveyor.core.providers import Provider
from conveyor.core.routing_slip import begin, service_of, turn_back
from conveyor.core.step import CallStep, LocalStep
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.core.waiting import hold, wait_for

CRASHED_CAUSE = "received too often without a result: it may stop the process that takes it"

ORPHAN_SECONDS = 60
"""How old a token of an order that does not exist must be until it is dropped.

It is safe at any age: a token is sent after the commit that owes it, by whoever was told that it
stands, so no placement can be under way behind it. What has no row was in the database and is no
longer, as after a restore; should it come back, its row says what it is owed. The minute is for
what nobody has thought of: until then it is given back, such as to a worker of another database.
"""


def take_tokens(
    tx: Tx, context: GroupContext, group: Sequence[InHand]
) -> AfterCommit[list[Disposition]]:
    """Take tokens: drop the stale, run local steps, write the intents of calls."""
    loaded = load(tx, list({t.token.order_id for t in group}))
    live = {o.id: due_step(context.registry.flows, o) for o in loaded.values() if is_live(o)}
    calling_out = [i for i, step in live.items() if _calls_out(context, step)]
    attempts = latest(tx, calling_out) if calling_out else Attempts()
    gather_all(tx, context, [(loaded[i], step) for i, step in live.items()])
    groups = GroupOrder(tx, [loaded[i] for i in live])
    of = [(loaded.get(t.token.order_id), t.receives) for t in group]
    known = faults_of(tx, [(order, count) for order, count in of if order])
    archived = archived_among(tx, {t.token.order_id for t in group} - loaded.keys())
    dispositions: dict[int, Disposition] = {}
    seen: set[str] = set()
    for at in _in_turn(group, loaded):
        token, order = group[at].token, loaded.get(group[at].token.order_id)
        if order is None:
            dispositions[at] = _of_no_order(tx, group[at], archived, context.now.ms)
            continue
        delivery = Delivery(
            tx, context, order, token.step, *tries(known, order, group[at].receives), group[at]
        )
        if order.id in seen or not fresh(order, token):
            delivery.note(TimelineEvent.DUPLICATE_DROPPED)
            dispositions[at] = STALE
            continue
        seen.add(order.id)
        if rest_seconds := groups.holds(order):
            dispositions[at] = hold(delivery, context.now.ms + round(rest_seconds * 1000))
            continue
        take = partial(_take, delivery, live.get(order.id, ""), attempts)
        dispositions[at] = disposition = guard(delivery, take) if context.isolate else take()
        if disposition is HANDLED or disposition is PARKED:
            groups.had_its_turn(order, parked=disposition is PARKED)
    groups.let_come(tx, context.now.ms)
    return tx.leave([dispositions[at] for at in range(len(group))])


def _of_no_order(tx: Tx, taken: InHand, archived: Collection[str], now_ms: int) -> Disposition:
    if taken.token.order_id in archived or taken.token.order_id == NO_ORDER:
        # It is at its end, and its story is in a file; or it only woke somebody's poll.
        return STALE
    token, age = taken.token, now_ms - taken.message.sent_at_ms if taken.message else 0
    if age >= ORPHAN_SECONDS * 1000:
        # The order was answered for and is gone: the audit names what is kept for no order.
        event = TimelineEvent.DUPLICATE_DROPPED
        timeline.note(tx, token.order_id, token.version, now_ms, event, step=token.step)
        return ORPHANED
    # The queue's clock may be ahead of ours.
    return Rest(min(ORPHAN_SECONDS, ORPHAN_SECONDS - age // 1000))


def fresh(order: Order, token: Token) -> bool:
    """The fence: a token is only good for the version at which it was owed."""
    return order.version == token.version


def is_live(order: Order) -> bool:
    """Whether the order is on its way: neither at its end nor parked."""
    return order.status not in SETTLED


def _take(delivery: Delivery, due: str, attempts: Attempts) -> Disposition:
    tx, context, order = delivery.tx, delivery.context, delivery.order
    context.registry.flow(order.flow)  # raises where the flow is not installed: a fault
    if delivery.traceless > context.retries.max_receives:
        return stop_here(delivery, CRASHED_CAUSE)
    if due != delivery.step:
        return Bury(f"order {order.id} is owed {due!r}, not {delivery.step!r}")
    gather_alone(delivery)
    last = attempts.last(order.id, delivery.step)
    if order.cancelling and not (last and last.is_open):
        return turn_back_now(delivery)
    step = context.registry.step(delivery.step)
    outcome: Outcome | ProviderCall | Delete
    if order.status == OrderStatus.AWAITING:
        outcome = step.overdue(tx, order, context.now)
    elif isinstance(step, LocalStep):
        outcome = step.run(tx, order, context.now)
    elif isinstance(step, CallStep):
        outcome = _begin_call(delivery, step, attempts)
    else:
        raise UnknownStepError(delivery.step)
    if isinstance(outcome, ProviderCall | Delete):
        return outcome
    apply_outcome(delivery, outcome)
    return PARKED if isinstance(outcome, Park) else HANDLED


def _begin_call(
    delivery: Delivery, step: CallStep[Any, Any], attempts: Attempts
) -> Outcome | ProviderCall | Delete:
    tx, order, now = delivery.tx, delivery.order, delivery.context.now
    last = attempts.last(order.id, delivery.step)
    is_open = last is not None and last.is_open
    # Whoever is to turn back asks for nothing more.
    prepared = None if is_open and order.cancelling else step.prepare(tx, order, now)
    if isinstance(prepared, Outcome) and not is_open:
        return prepared
    provider = _provider(delivery, attempts)
    if provider.breaker.holds_back(order.id, delivery.context.begun):
        return wait_for(delivery, provider)
    theirs, grant = provider.steps.get(delivery.step, step), delivery.context.grant(provider)
    in_hand = cast("InHand", delivery.in_hand)  # there is one: no answer begins a call
    call = ProviderCall(order, delivery.step, theirs, prepared, provider, grant, in_hand)
    if last is not None and is_open:
        only_ask = order.cancelling or isinstance(prepared, Outcome)
        return calls.take_up(tx, call, last, now, ask_only=only_ask)
    return calls.intend(tx, call, last, now)


def _provider(delivery: Delivery, attempts: Attempts) -> Provider:
    """Give whom the order calls: whom it has called before, whatever is bound for it now."""
    order, providers = delivery.order, delivery.context.providers
    service = service_of(delivery.step)
    called = attempts.called(order.id, providers.called_by(service).services)
    return providers.of(service, order.merchant, called)


def turn_back_now(delivery: Delivery, *, begun: bool = False) -> Disposition:
    """Undo what was done before the step that is owed, and what that has begun, now or before."""
    order, registry = delivery.order, delivery.context.registry
    delivery.note(TimelineEvent.TURNED_BACK)
    delivery.trace(TimelineEvent.TURNED_BACK)
    place = begin(place_of(order)) if begun else place_of(order)
    back = turn_back(registry.flow(order.flow), place, OrderStatus.CANCELLED)
    move_order(delivery.tx, registry, order, back, delivery.context.now)
    return HANDLED


def _calls_out(context: GroupContext, step: str) -> bool:
    return isinstance(context.registry.steps.get(step), CallStep)


def _in_turn(taken: Sequence[InHand], loaded: Mapping[str, Order]) -> list[int]:
    """Go through the tokens as they came, but let those of one group come in their turn."""
    turns = [o.sequence if (o := loaded.get(t.token.order_id)) else 0 for t in taken]
    return sorted(range(len(taken)), key=turns.__getitem__)
