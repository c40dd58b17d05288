"""How a subscription begins: at once, after a trial, or paid already by another system. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from conveyor.flows.renewal.subscriptions.model import (
    DAY_MS,
    Plan,
    Subscription,
    SubscriptionStatus,
    share_of,
)
from conveyor.flows.renewal.subscriptions.periods import Calendar, wall_clock

UTC = "UTC"
YEARS = range(1970, 2200)


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """A subscription as it is asked for.

    `starts` and `paid_until` are wall-clock times (ISO 8601) in `zone`, or days; '' for now, and
    for not paid. The time of day at which it starts is that of all its renewals.
    """

    id: str
    customer: str
    plan: str
    card: str
    zone: str = UTC
    starts: str = ""
    paid_until: str = ""


@dataclass(frozen=True, slots=True)
class InvalidField:
    """Why it cannot begin so; `field` names what is wrong."""

    field: str
    why: str


def begin(
    merchant: str, new: NewSubscription, plan: Plan, now_ms: int
) -> Subscription | InvalidField:
    """Give the subscription that is wished for, with its first renewal due when it is to be."""
    if not _is_zone(new.zone):
        return InvalidField("zone", f"{new.zone!r} is no time zone, such as Europe/Berlin")
    starts = _read(new.starts) if new.starts else wall_clock(now_ms, new.zone)
    if starts is None:
        return InvalidField("starts", "is no wall-clock time or day, such as 2026-01-31")
    if new.paid_until:
        return _paid(merchant, new, plan, starts, now_ms)
    begun = Calendar(starts, new.zone).boundary_ms(0)
    if begun < now_ms - DAY_MS:
        return InvalidField("starts", "is in the past: say until when it is paid, with paid_until")
    anchor = starts + timedelta(days=plan.trial_days)
    status = SubscriptionStatus.TRIALING if plan.trial_days else SubscriptionStatus.ACTIVE
    return _subscription(merchant, new, Calendar(anchor, new.zone), status, now_ms)


def _paid(
    merchant: str, new: NewSubscription, plan: Plan, starts: datetime, now_ms: int
) -> Subscription | InvalidField:
    until = _read(new.paid_until)
    if until is None or until.date() < starts.date():
        return InvalidField("paid_until", "is no day on or after that on which it starts")
    calendar = Calendar(starts, new.zone)
    months = calendar.months_until(until, plan.months)
    if months is None:
        return InvalidField(
            "paid_until", f"no period of {plan.months} months from {new.starts} ends then"
        )
    return _subscription(
        merchant,
        new,
        calendar,
        SubscriptionStatus.ACTIVE,
        now_ms,
        months=months,
        period=months // plan.months,
    )


def _subscription(
    merchant: str,
    new: NewSubscription,
    calendar: Calendar,
    status: SubscriptionStatus,
    now_ms: int,
    *,
    months: int = 0,
    period: int = 0,
) -> Subscription:
    due_at = calendar.boundary_ms(months)
    return Subscription(
        merchant=merchant,
        id=new.id,
        customer=new.customer,
        plan=new.plan,
        next_plan="",
        card=new.card,
        new_card=False,
        anchor=calendar.anchor.isoformat(),
        zone=calendar.zone,
        months=months,
        period=period,
        status=status,
        reason="",
        paid_until=due_at,
        due_at=due_at,
        past_due_since=None,
        cancel_at_end=False,
        share=share_of(merchant, new.id),
        created_at=now_ms,
    )


def _read(text: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo is None and read.year in YEARS else None


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
