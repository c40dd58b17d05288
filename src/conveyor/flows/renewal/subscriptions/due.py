"""What is due, and which of it a run may renew.

Two rules keep a wrong clock, or dates of long ago, from charging a customer again and again:

- A subscription whose next period is practically over is *behind*, and waits for an operator.
- No period is charged before the order of the one before is settled, nor a second one in a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.order_status import OrderStatus
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.flows.renewal.subscriptions import store
from conveyor.flows.renewal.subscriptions.model import (
    ALL_PER_CENT,
    MONTH_MS,
    Plan,
    Subscription,
    shares_in,
)
from conveyor.flows.renewal.subscriptions.tables import plans, renewals, subscriptions


@dataclass(frozen=True, slots=True)
class Run:
    """A run over a merchant's subscriptions, the first `per_cent` of them.

    `began_at` is its moment. Only with `catch_up` does it take those that are behind.
    """

    merchant: str
    began_at: int
    per_cent: float = ALL_PER_CENT
    catch_up: bool = False


_s, _p, _r, _o = subscriptions.c, plans.c, renewals.c, orders.c
_now = sa.bindparam("now", type_=sa.BigInteger)
# A period that was paid for stays so, be its money on its way back.
_is_over = sa.or_(_o.settled_at.is_not(None), _o.ending == OrderStatus.REFUNDED)
# Asked of each subscription by itself: as a join it could be planned over all orders.
_earlier_is_over = (
    sa.select(
        sa.and_(
            _is_over,
            sa.not_(_o.placed_at.between(sa.bindparam("began", type_=sa.BigInteger), _now)),
        )
    )
    .select_from(renewals.join(orders, _o.id == _r.order_id))
    .where(_r.merchant == _s.merchant, _r.subscription == _s.id, _r.period == _s.period - 1)
    .correlate(subscriptions)
    .scalar_subquery()
)
_DUE = (
    sa.select(*store.COLUMNS, *store.PLAN_COLUMNS)
    .select_from(subscriptions)
    .join(
        plans,
        sa.and_(
            _p.merchant == _s.merchant,
            _p.id == sa.case((_s.next_plan == "", _s.plan), else_=_s.next_plan),
        ),
    )
    .where(
        _s.merchant == sa.bindparam("of_merchant"),
        _s.due_at <= _now,
        _s.share < sa.bindparam("shares"),
        sa.or_(
            _s.cancel_at_end,  # it only ends
            _s.due_at
            > sa.bindparam("behind_from", type_=sa.BigInteger)
            - sa.cast(_p.months, sa.BigInteger) * sa.literal(MONTH_MS, sa.BigInteger),
        ),
        sa.func.coalesce(_earlier_is_over, sa.true()),
    )
    .order_by(_s.due_at, _s.id)
    .limit(sa.bindparam("page"))
)
# A subscription that another scan is taking now is passed over, not waited for.
_TAKE = _DUE.with_for_update(of=subscriptions, skip_locked=True)
_COUNT = (
    _DUE.limit(None)
    .order_by(None)
    .with_only_columns(_p.currency, sa.func.count(), sa.func.sum(_p.price))
    .group_by(_p.currency)
)
_MERCHANTS = sa.select(_s.merchant).where(_s.due_at <= _now).distinct().order_by(_s.merchant)
_UNSETTLED = (
    sa.select(_r.order_id)
    .select_from(renewals.join(orders, _o.id == _r.order_id))
    .where(
        _r.merchant == sa.bindparam("of_merchant"),
        _r.subscription == sa.bindparam("of_subscription"),
        _r.period == sa.bindparam("of_period"),
        sa.not_(_is_over),
    )
)


def due(
    tx: Tx, run: Run, now_ms: int, *, limit: int, take: bool
) -> list[tuple[Subscription, Plan]]:
    """Read a page of what is due, each with the plan of its next period; locked if to be taken."""
    many = len(store.COLUMNS)
    return [
        (Subscription(*row[:many]), store.plan_from(row[many:]))
        for row in tx.execute(_TAKE if take else _DUE, _bounds(run, now_ms) | {"page": limit})
    ]


def count_due(tx: Tx, run: Run, now_ms: int) -> dict[str, tuple[int, int]]:
    """Count what is due and add up what it costs, by currency."""
    rows = tx.execute(_COUNT, _bounds(run, now_ms))
    return {currency: (int(count), int(price)) for currency, count, price in rows}


def count_behind(tx: Tx, merchant: str, now_ms: int) -> int:
    """Count the subscriptions that only a run to catch up takes."""
    with_them, without = (
        sum(count for count, _ in count_due(tx, run, now_ms).values())
        for run in (Run(merchant, now_ms, catch_up=True), Run(merchant, now_ms))
    )
    return with_them - without


def merchants_with_due(tx: Tx, now_ms: int) -> Sequence[str]:
    """Name the merchants that have something due."""
    return tx.execute(_MERCHANTS, {"now": now_ms}).scalars().all()


def unsettled_before(tx: Tx, subscription: Subscription) -> str:
    """Give the order of the period before the next one while it is not settled; else ''."""
    key = {
        "of_merchant": subscription.merchant,
        "of_subscription": subscription.id,
        "of_period": subscription.period - 1,
    }
    return tx.execute(_UNSETTLED, key).scalar_one_or_none() or ""


def _bounds(run: Run, now_ms: int) -> dict[str, str | int]:
    return {
        "of_merchant": run.merchant,
        "now": now_ms,
        "shares": shares_in(run.per_cent),
        "behind_from": 0 if run.catch_up else now_ms,
        "began": run.began_at,
    }
