"""Subscriptions: each period is charged once at most, and extended exactly when it is charged."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.checks import Check, Examination, Finding, check_rows
from conveyor.checks.columns import went_through
from conveyor.checks.finding import needed
from conveyor.commerce.payments.store import payments
from conveyor.core.order_status import UNDONE
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.flows import RENEWAL
from conveyor.flows.renewal.subscriptions.model import DAY_MS, LIVE, RenewalState
from conveyor.flows.renewal.subscriptions.tables import plans, renewals, subscriptions

_o, _r, _s = orders.c, renewals.c, subscriptions.c

_paid_for = orders.join(payments, payments.c.order_id == _o.id).outerjoin(
    renewals, _r.order_id == _o.id
)
_kept = sa.func.coalesce(payments.c.captured - payments.c.refunded, 0)
_renewed = renewals.outerjoin(orders, _o.id == _r.order_id).outerjoin(
    payments, payments.c.order_id == _r.order_id
)
_disagrees = sa.or_(
    _o.id.is_(None),
    sa.and_(went_through(), _r.state != RenewalState.EXTENDED),
    sa.and_(
        _o.status.in_(sorted(UNDONE)), _r.state.in_([RenewalState.OPEN, RenewalState.EXTENDED])
    ),
    sa.and_(_r.state == RenewalState.EXTENDED, _o.ending == "", _kept != _o.total),
)
_of_subscription = sa.and_(_r.merchant == _s.merchant, _r.subscription == _s.id)
_under_way = sa.exists().where(
    _of_subscription, _r.period == _s.period, _r.state == RenewalState.OPEN
)
_forgotten = sa.or_(
    sa.and_(_s.status.in_(sorted(LIVE)), _s.due_at.is_(None), sa.not_(_under_way)),
    sa.and_(_s.due_at.is_not(None), _under_way),
)
_misdated = sa.exists().where(
    _of_subscription,
    _r.state == RenewalState.EXTENDED,
    sa.or_(
        _r.period >= _s.period,
        sa.and_(_r.period == _s.period - 1, _r.ends_at != _s.paid_until),
    ),
)


def _too_far(now: int) -> sa.ColumnElement[bool]:
    """Whether a renewal is due later than its period ends, or somebody asked for it to be."""
    return _s.due_at > sa.case((_s.paid_until > now, _s.paid_until), else_=now) + DAY_MS


def check_subscriptions(tx: Tx, examination: Examination) -> list[Finding]:
    """Hold renewals against orders, payments and subscriptions."""
    return [
        check_rows(
            tx,
            Finding("period_charged_once", 3, "No order is charged for a period that is another's"),
            (_paid_for, _o.id, _o.flow.startswith(f"{RENEWAL.name}@")),
            sa.and_(_kept > 0, _r.order_id.is_(None)),
        ),
        check_rows(
            tx,
            Finding("extended_iff_charged", 4, "A period is extended exactly when it is charged"),
            (_renewed, _r.order_id, sa.true()),
            _disagrees,
        ),
        check_rows(
            tx,
            Finding(
                "no_subscription_forgotten",
                6,
                "A live subscription is due some day, or its renewal is under way; never both",
            ),
            (subscriptions, _s.id, sa.true()),
            _forgotten,
        ),
        check_rows(
            tx,
            Finding("renewal_in_reach", 6, "A renewal is due when what was paid for ends"),
            (subscriptions, _s.id, _s.due_at.is_not(None)),
            _too_far(examination.now),
        ),
        check_rows(
            tx,
            Finding("plan_exists", 4, "A subscription has a plan, of its own merchant"),
            (subscriptions, _s.id, sa.true()),
            sa.not_(sa.exists().where(plans.c.merchant == _s.merchant, plans.c.id == _s.plan)),
        ),
        check_rows(
            tx,
            Finding("paid_until_agrees", 4, "A subscription is paid until its last period ends"),
            (subscriptions, _s.id, sa.true()),
            _misdated,
        ),
    ]


def check_needed(tx: Tx, _: Examination) -> list[Finding]:
    """See that there is the subscription of each renewal."""
    there = sa.exists().where(_of_subscription)
    return [check_rows(tx, needed(), (renewals, _r.order_id, sa.true()), sa.not_(there))]


CHECKS: tuple[Check, ...] = (check_subscriptions, check_needed)
