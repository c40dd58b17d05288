"""What customers and merchants change: subscriptions begin, get another card or plan, and end.

Each change is one transaction, its order's move included, and the token that is owed after it is
sent at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from conveyor.core.actor import NOBODY, Actor
from conveyor.core.answers import TAKEN, StepAnswer, take_answers
from conveyor.core.engine import Engine
from conveyor.core.group_context import GroupContext
from conveyor.core.interventions import cancel
from conveyor.core.operator_actions import note
from conveyor.core.order import load
from conveyor.core.transaction import Tx
from conveyor.flows.renewal.subscriptions import renewals, store
from conveyor.flows.renewal.subscriptions.beginning import InvalidField, NewSubscription, begin
from conveyor.flows.renewal.subscriptions.model import (
    Plan,
    RenewalState,
    Subscription,
    SubscriptionStatus,
)
from conveyor.flows.renewal.subscriptions.periods import wall_clock
from conveyor.flows.renewal.subscriptions.renewals import Renewal

log = logging.getLogger(__name__)

CHARGE = "payments.charge"
REPLACED = "the card was replaced"
NO_PLAN = "no such plan"


@dataclass(frozen=True, slots=True)
class Impossible:
    """It cannot be done as things stand; `why` is a sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class Begun:
    """Subscriptions that were added; those whose id was taken are as they were."""

    added: int
    there_before: int


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """The first that cannot begin, by its place among those that were given."""

    at: int
    wrong: InvalidField


Change = Subscription | Impossible | None


class Changes:
    """Changes the subscriptions of one system; each answer None says that there is no such one."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is started."""
        self._engine = engine

    async def set_plan(self, plan: Plan, by: Actor = NOBODY) -> Impossible | None:
        """Make a plan, or change its price or rules, which hold from the next renewals on."""
        now_ms = self._engine.ambient.now_ms()

        def work(tx: Tx) -> Impossible | None:
            wrong = _set_plan(tx, plan)
            if wrong is None:
                said = {"price": plan.price, "currency": plan.currency}
                note(tx, by, "plans.set", now_ms, subject=plan.id, detail=said)
            return wrong

        return await self._engine.database.run(work)

    async def begin(
        self, merchant: str, given: Sequence[NewSubscription], by: Actor | None = None
    ) -> Begun | InvalidRow:
        """Begin subscriptions, all or none; `by` is the operator who does it, None: a program."""
        now_ms = self._engine.ambient.now_ms()

        def work(tx: Tx) -> Begun | InvalidRow:
            begun = _begin(tx, merchant, given, now_ms)
            if by is not None and isinstance(begun, Begun):
                note(tx, by, "subscriptions.import", now_ms, detail={"added": begun.added})
            return begun

        return await self._engine.database.run(work)

    async def replace_card(
        self, merchant: str, name: str, card: str
    ) -> Subscription | Impossible | None:
        """Charge another card from now on; a renewal that awaits one is tried with it at once."""
        context = self._engine.group_context(
            isolate=False
        )  # here: a transaction has no loop to ask for time
        return await self._run(lambda tx: _replace_card(tx, context, merchant, name, card))

    async def change_plan(
        self, merchant: str, name: str, plan: str
    ) -> Subscription | Impossible | None:
        """Go over to another plan with the next period."""
        return await self._run(lambda tx: _change_plan(tx, merchant, name, plan))

    async def cancel(self, merchant: str, name: str) -> Subscription | Impossible | None:
        """End it with the period that is paid; one that is past due, at once."""
        return await self._run(lambda tx: _cancel(tx, self._engine, merchant, name))

    async def _run(self, work: Callable[[Tx], Change]) -> Subscription | Impossible | None:
        return await self._engine.relay.commit(work)


def _set_plan(tx: Tx, plan: Plan) -> Impossible | None:
    if store.set_plan(tx, plan):
        return None
    return Impossible("A plan keeps its months and its currency: make another plan.")


def _begin(
    tx: Tx, merchant: str, given: Sequence[NewSubscription], now_ms: int
) -> Begun | InvalidRow:
    plans = store.plans_of(tx, merchant)
    begun: list[Subscription] = []
    for at, new in enumerate(given):
        plan = plans.get(new.plan)
        one = begin(merchant, new, plan, now_ms) if plan else InvalidField("plan", NO_PLAN)
        if isinstance(one, InvalidField):
            return InvalidRow(at, one)
        begun.append(one)
    added = store.add(tx, begun)
    return Begun(added, len(begun) - added)


def _replace_card(tx: Tx, context: GroupContext, merchant: str, name: str, card: str) -> Change:
    found = store.find(tx, merchant, [name]).get(name)
    if found is None or found.status == SubscriptionStatus.CANCELLED:
        return found and Impossible("It is cancelled.")
    found, renewal = _locked(tx, found)
    taken = renewal is not None and _try_at_once(tx, context, renewal)
    changed = replace(found, card=card, new_card=renewal is not None and not taken)
    if found.status == SubscriptionStatus.SUSPENDED and found.due_at is None and renewal is None:
        begins = wall_clock(context.now.ms, found.zone).isoformat()
        changed = changed.resumed(begins, context.now.ms)
    store.save(tx, changed)
    return changed


def _try_at_once(tx: Tx, context: GroupContext, renewal: Renewal) -> bool:
    answer = StepAnswer(renewal.order_id, CHARGE, {"reason": REPLACED})
    return take_answers(tx, context, [answer]) == [TAKEN]


def _change_plan(tx: Tx, merchant: str, name: str, plan: str) -> Change:
    found = store.find(tx, merchant, [name], lock=True).get(name)
    if found is None:
        return None
    if not found.live:
        return Impossible(f"It is {found.status}.")
    plans = store.plans_of(tx, merchant)
    if plan not in plans:
        return Impossible("There is no such plan.")
    if plans[plan].currency != plans[found.plan].currency:
        return Impossible(f"The subscription is paid in {plans[found.plan].currency}.")
    changed = replace(found, next_plan="" if plan == found.plan else plan)
    store.save(tx, changed)
    return changed


def _cancel(tx: Tx, engine: Engine, merchant: str, name: str) -> Change:
    found = store.find(tx, merchant, [name]).get(name)
    if found is None:
        return None
    found, renewal = _locked(tx, found)
    if found.status == SubscriptionStatus.SUSPENDED:
        changed = found.ended(SubscriptionStatus.CANCELLED, found.reason)
    else:
        changed = replace(found, cancel_at_end=found.live or found.cancel_at_end)
    if renewal is None or found.status != SubscriptionStatus.PAST_DUE:
        store.save(tx, changed)
        return changed
    return _turn_back(tx, engine, renewal, changed)


def _turn_back(tx: Tx, engine: Engine, renewal: Renewal, changed: Subscription) -> Subscription:
    """Cancel a renewal, which ends the subscription as it is to end; gives it as it is then."""
    renewals.save(tx, renewal, changed)
    reason = "the subscription was cancelled"
    cancel(tx, engine.registry, renewal.order_id, engine.now(), reason)
    ended = renewals.of_order(tx, renewal.order_id)
    return ended.subscription if ended else changed


def _locked(tx: Tx, seen: Subscription) -> tuple[Subscription, Renewal | None]:
    """Lock a subscription and the order of its open renewal; gives both as they are then."""
    before = _open_renewal(tx, seen)
    if before is not None:
        load(tx, [before.order_id])
    found = store.find(tx, seen.merchant, [seen.id], lock=True)[seen.id]
    renewal = _open_renewal(tx, found)
    if renewal is not None and (before is None or before.order_id != renewal.order_id):
        # Begun since the first look. Everybody else locks the order first: should two wait for
        # one another, the database lets one of them begin anew.
        load(tx, [renewal.order_id])
    return found, renewal


def _open_renewal(tx: Tx, found: Subscription) -> Renewal | None:
    renewal = renewals.of_period(tx, found.merchant, found.id, found.period)
    return renewal if renewal and renewal.state == RenewalState.OPEN else None
