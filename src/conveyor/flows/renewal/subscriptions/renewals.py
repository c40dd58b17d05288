"""The `renewals` table: one row for each period of a subscription, and the order that pays for it.

Its key is subscription and period. Whatever order comes first to a period is the only one that
may charge for it, however many scans, processes and people start one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter

import sqlalchemy as sa

from conveyor.core.gathered import Gathered
from conveyor.core.order import Order
from conveyor.core.statements import one_of
from conveyor.core.transaction import Tx
from conveyor.flows.renewal.subscriptions import store
from conveyor.flows.renewal.subscriptions.model import Plan, RenewalState, Subscription
from conveyor.flows.renewal.subscriptions.periods import Calendar
from conveyor.flows.renewal.subscriptions.tables import plans, renewals, subscriptions


@dataclass(frozen=True, slots=True)
class Renewal:
    """A row of `renewals`: a period, and how far its order is."""

    merchant: str
    subscription: str
    period: int
    order_id: str
    state: RenewalState
    starts_at: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class ClaimedPeriod:
    """A renewal with the subscription and the plan that it is under."""

    renewal: Renewal
    subscription: Subscription
    plan: Plan


_r = renewals.c
_COLUMNS = tuple(c.name for c in renewals.c)
_values = attrgetter(*_COLUMNS)
_CLAIM = sa.insert(renewals)
_END = (
    sa.update(renewals)
    .where(_r.order_id == sa.bindparam("b_order_id"))
    .values(state=sa.bindparam("b_state"))
)
_OF_PERIOD = sa.select(renewals).where(
    _r.merchant == sa.bindparam("of_merchant"),
    _r.subscription == sa.bindparam("of_subscription"),
    _r.period == sa.bindparam("of_period"),
)
# What is read beside a row that is waited for is as old as the statement, and on PostgreSQL a row
# that no longer joins is dropped: so nothing is read by the statement that locks.
_LOCK = (
    sa.select(subscriptions.c.id)
    .join(
        renewals,
        sa.and_(subscriptions.c.merchant == _r.merchant, subscriptions.c.id == _r.subscription),
    )
    .where(one_of(_r.order_id, "orders"))
    .order_by(subscriptions.c.merchant, subscriptions.c.id)
    .with_for_update(of=subscriptions)
)
_OF_ORDERS = (
    sa.select(*renewals.c, *store.COLUMNS, *store.PLAN_COLUMNS)
    .select_from(renewals)
    .join(
        subscriptions,
        sa.and_(subscriptions.c.merchant == _r.merchant, subscriptions.c.id == _r.subscription),
    )
    .join(
        plans,
        sa.and_(plans.c.merchant == _r.merchant, plans.c.id == subscriptions.c.plan),
    )
    .where(one_of(_r.order_id, "orders"))
)


def _lock(tx: Tx, ids: Sequence[str]) -> dict[str, ClaimedPeriod]:
    tx.execute(_LOCK, {"orders": ids})
    many, more = len(renewals.c), len(renewals.c) + len(store.COLUMNS)
    found: dict[str, ClaimedPeriod] = {}
    for row in tx.execute(_OF_ORDERS, {"orders": ids}):
        renewal, subscription = Renewal(*row[:many]), Subscription(*row[many:more])
        plan = store.plan_from(row[more:])
        found[renewal.order_id] = ClaimedPeriod(renewal, subscription, plan)
    return found


_GATHERED = Gathered(_lock)


def gather(tx: Tx, orders: Sequence[Order]) -> None:
    """Lock and read, once for a group, the subscriptions that these orders renew."""
    _GATHERED.gather(tx, (order.id for order in orders))


def of_order(tx: Tx, order_id: str) -> ClaimedPeriod | None:
    """Give what an order renews, gathered or read; None: it has claimed no period."""
    return _GATHERED.get(tx, order_id)


def of_period(tx: Tx, merchant: str, subscription: str, period: int) -> Renewal | None:
    """Give the renewal of a period, if there is one."""
    key = {"of_merchant": merchant, "of_subscription": subscription, "of_period": period}
    row = tx.execute(_OF_PERIOD, key).one_or_none()
    return Renewal(*row) if row else None


def claim(tx: Tx, subscription: Subscription, plan: Plan, order_id: str) -> ClaimedPeriod:
    """Claim the next period of a locked subscription for an order, on this plan.

    A second claim of one period fails the transaction.
    """
    calendar = calendar_of(subscription)
    row = Renewal(
        subscription.merchant,
        subscription.id,
        subscription.period,
        order_id,
        RenewalState.OPEN,
        subscription.paid_until,
        calendar.boundary_ms(subscription.months + plan.months),
    )
    tx.later(_CLAIM, dict(zip(_COLUMNS, _values(row), strict=True)))
    found = ClaimedPeriod(row, subscription.claimed(), plan)
    store.save(tx, found.subscription)
    _GATHERED.put(tx, order_id, found)
    return found


def save(tx: Tx, renewal: Renewal, changed: Subscription) -> None:
    """Write a subscription; who looks at its renewal in this transaction sees that."""
    store.save(tx, changed)
    if found := _GATHERED.get(tx, renewal.order_id):
        _GATHERED.put(tx, renewal.order_id, replace(found, subscription=changed))


def change(tx: Tx, found: ClaimedPeriod, changed: Subscription, state: RenewalState) -> None:
    """Write what a renewal has come to, and the subscription with it."""
    order_id = found.renewal.order_id
    store.save(tx, changed)
    if state != found.renewal.state:
        tx.later(_END, {"b_order_id": order_id, "b_state": state}, must_match=True)
    row = replace(found.renewal, state=state)
    _GATHERED.put(tx, order_id, ClaimedPeriod(row, changed, found.plan))


def calendar_of(subscription: Subscription) -> Calendar:
    """Give the calendar by which a subscription is billed."""
    return Calendar(datetime.fromisoformat(subscription.anchor), subscription.zone)


def count_by_state(tx: Tx, merchant: str) -> dict[str, int]:
    """Count a merchant's renewals."""
    query = sa.select(_r.state, sa.func.count()).where(_r.merchant == merchant)
    return {state: int(count) for state, count in tx.execute(query.group_by(_r.state))}
