"""Dunning: a declined renewal is charged again on other days, until its plan says that it is over.

Payments asks (see its port `Payer`) which card to charge and what a decline means. The order
awaits another card meanwhile, and the timer of its deadline is the next retry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from conveyor.core.order import Order
from conveyor.core.outcome import Again, Awaiting, Outcome, Refused
from conveyor.core.rfc3339 import iso
from conveyor.core.step import Now
from conveyor.core.transaction import Tx
from conveyor.flows.renewal.subscriptions import due, renewals, store
from conveyor.flows.renewal.subscriptions.model import (
    CANCEL,
    Plan,
    RenewalState,
    Renews,
    Subscription,
    SubscriptionStatus,
)
from conveyor.flows.renewal.subscriptions.renewals import ClaimedPeriod

AWAITED = "another card"


class Decline(Protocol):
    """What must be known of a decline; `final`: no other day will change it."""

    @property
    def reason(self) -> str:
        """Why, as the provider says it."""
        ...

    @property
    def final(self) -> bool:
        """Whether trying again is of no use."""
        ...


class Dunning:
    """Pays renewals with the subscription's own card: the `Payer` of payments."""

    def gather(self, tx: Tx, orders: Sequence[Order]) -> None:
        """Lock the subscriptions of a group."""
        renewals.gather(tx, orders)

    def method(self, tx: Tx, order: Order, now: Now) -> str | Outcome:  # noqa: ARG002 - the port's
        """Give the subscription's card as it is now, once the order has its period."""
        found = renewals.of_order(tx, order.id) or claim_placed(tx, order)
        if isinstance(found, Refused):
            return found
        if found.renewal.state != RenewalState.OPEN:
            return Refused(f"the renewal has {found.renewal.state}")
        return found.subscription.card

    def declined(self, tx: Tx, order: Order, declined: Decline, now: Now) -> Outcome:
        """Try again at once with a card that is new, else on another day, or end it."""
        found = renewals.of_order(tx, order.id)
        if found is None:
            return Refused(declined.reason)
        subscription = found.subscription
        if subscription.new_card:
            renewals.change(tx, found, replace(subscription, new_card=False), RenewalState.OPEN)
            return Again("the card was replaced meanwhile")
        hopeless = declined.final or subscription.status == SubscriptionStatus.SUSPENDED
        since = subscription.past_due_since or now.ms
        since = since if now.has_come(since) else now.ms
        retry_at = None if hopeless else found.plan.retry_at(since, now.ms)
        if retry_at is None:
            _end(tx, found, declined.reason)
            return Refused(declined.reason)
        # The first decline may have been noted by a clock that was ahead; then it was this one.
        known = replace(subscription, past_due_since=since)
        renewals.change(tx, found, known.declined(now.ms, declined.reason), RenewalState.OPEN)
        detail = {"reason": declined.reason, "next_try": iso(retry_at)}
        return Awaiting(AWAITED, (retry_at - now.ms) / 1000, detail)

    def turned_back(self, tx: Tx, order: Order, now: Now) -> None:  # noqa: ARG002 - the port's
        """End the subscription with its renewal."""
        turned_back(tx, order)


def turned_back(tx: Tx, order: Order) -> None:
    """End the subscription, unless that is done: its renewal was refused or cancelled."""
    found = renewals.of_order(tx, order.id)
    if found is not None and found.renewal.state == RenewalState.OPEN:
        _end(tx, found, "its renewal was cancelled")


def claim_placed(tx: Tx, order: Order) -> ClaimedPeriod | Refused:
    """Claim the period for an order that no scan has placed, if it is the one to be paid next."""
    renews = order.body_as(Renews)
    name, period = renews.subscription, renews.period
    subscription = store.find(tx, order.merchant, [name], lock=True).get(name)
    if subscription is None:
        return Refused(f"no such subscription: {name}")
    plan = store.plans_of(tx, order.merchant)[subscription.next_plan or subscription.plan]
    objection = _objection(tx, order, subscription, plan, period)
    return Refused(objection) if objection else renewals.claim(tx, subscription, plan, order.id)


def _objection(
    tx: Tx, order: Order, subscription: Subscription, plan: Plan, period: int | None
) -> str:
    if period is None or period != subscription.period:
        return f"the next period is {subscription.period}, not {period}"
    earlier = renewals.of_period(tx, order.merchant, subscription.id, period)
    if earlier is not None:
        return f"period {period} is renewed by order {earlier.order_id}"
    if subscription.due_at is None or subscription.cancel_at_end:
        return f"the subscription is {subscription.status}, and is not renewed"
    if unsettled := due.unsettled_before(tx, subscription):
        return f"order {unsettled} of the period before is not settled"
    if (order.total, order.currency) != (plan.price, plan.currency):
        return f"plan {plan.id} costs {plan.price} {plan.currency}"
    return ""


def _end(tx: Tx, found: ClaimedPeriod, reason: str) -> None:
    cancel = found.subscription.cancel_at_end or found.plan.afterwards == CANCEL
    status = SubscriptionStatus.CANCELLED if cancel else SubscriptionStatus.SUSPENDED
    renewals.change(tx, found, found.subscription.ended(status, reason), RenewalState.ENDED)
