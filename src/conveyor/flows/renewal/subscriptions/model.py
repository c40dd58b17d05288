"""The rules of plans and subscriptions, and of dunning. Money is in minor units. Pure.

Times are milliseconds since the epoch. A subscription is paid until `paid_until`; its next period
has the number `period`, begins there, and is `months` months after the anchor of its calendar.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

CANCEL = "cancel"

DAY_MS = 86_400_000
RETRY_DAYS = (1, 3, 5, 7)
"""Days after the first decline on which a charge is tried again."""
GRACE_DAYS = 8
"""Days of access after a period that was paid: one more than the last retry takes."""
CLOSE_MS = 60_000
"""A retry as close as this has just been taken: the clocks of two machines differ."""
MONTH_MS = 28 * DAY_MS
"""No month is shorter."""
ALL_PER_CENT = 100.0
SHARES = 10_000
"""A subscription's share is one of so many: hundredths of a per cent."""


class SubscriptionStatus(StrEnum):
    """How a subscription stands: one word for each, stored and sent as it is written."""

    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"


LIVE = frozenset(
    {SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE}
)


class RenewalState(StrEnum):
    """How far the renewal of a period is: one word for each, stored as it is written."""

    OPEN = "open"
    EXTENDED = "extended"
    ENDED = "ended"
    RETRACTED = "retracted"


@dataclass(frozen=True, slots=True)
class Renews:
    """What subscriptions read of an order's body: which period of which it pays for."""

    subscription: str = ""
    period: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a merchant sells: `months` of something for `price`.

    After the last of `retry_days` a subscription ends as `afterwards` says.
    """

    merchant: str
    id: str
    price: int
    currency: str
    months: int = 1
    trial_days: int = 0
    retry_days: tuple[int, ...] = RETRY_DAYS
    grace_days: int = GRACE_DAYS
    afterwards: str = CANCEL

    def retry_at(self, declined_first_at: int, now_ms: int) -> int | None:
        """Give when a declined charge is tried again; None: it was tried often enough.

        The days count from the first decline, so that a card which is tried in between, because
        it replaced another, takes no day away.
        """
        times = (declined_first_at + days * DAY_MS for days in self.retry_days)
        return next((at for at in times if at > now_ms + CLOSE_MS), None)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One customer's subscription, where it stands.

    `due_at` is when its next renewal is to be started: null while one is under way, and at its
    end. `new_card`: it was replaced while a charge of the old one was under way.
    """

    merchant: str
    id: str
    customer: str
    plan: str
    next_plan: str
    card: str
    new_card: bool
    anchor: str
    zone: str
    months: int
    period: int
    status: SubscriptionStatus
    reason: str
    paid_until: int
    due_at: int | None
    past_due_since: int | None
    cancel_at_end: bool
    share: int
    created_at: int

    @property
    def live(self) -> bool:
        """Whether it is to be renewed, now or later."""
        return self.status in LIVE

    def has_access(self, plan: Plan, now_ms: int) -> bool:
        """Whether the customer may use what was subscribed to.

        While a renewal is under way, or cannot be started, the days of grace keep it open; but
        not for who has never paid, nor been on trial.
        """
        known = self.live and (self.period > 0 or self.status == SubscriptionStatus.TRIALING)
        grace = plan.grace_days * DAY_MS if known else 0
        return self.status != SubscriptionStatus.SUSPENDED and now_ms < self.paid_until + grace

    def claimed(self) -> Self:
        """A renewal of the next period is under way, on the plan that was chosen for it."""
        plan = self.next_plan or self.plan
        return replace(self, due_at=None, plan=plan, next_plan="")

    def extended(self, plan: Plan, until: int) -> Self:
        """The next period was paid."""
        return replace(
            self,
            period=self.period + 1,
            months=self.months + plan.months,
            paid_until=until,
            due_at=until,
            status=SubscriptionStatus.ACTIVE,
            reason="",
            past_due_since=None,
            new_card=False,
        )

    def declined(self, now_ms: int, reason: str) -> Self:
        """The charge was declined, and will be tried again."""
        since = self.past_due_since or now_ms
        return replace(
            self,
            status=SubscriptionStatus.PAST_DUE,
            reason=reason,
            past_due_since=since,
            new_card=False,
        )

    def ended(self, status: SubscriptionStatus, reason: str) -> Self:
        """It is not renewed any more."""
        return replace(
            self, status=status, reason=reason, due_at=None, past_due_since=None, new_card=False
        )

    def retracted(self, starts_at: int) -> Self:
        """The last period that was paid was given back."""
        ended = self.ended(SubscriptionStatus.CANCELLED, "its last renewal was undone")
        return replace(ended, paid_until=starts_at)

    def resumed(self, anchor: str, now_ms: int) -> Self:
        """One that is suspended begins anew once it is paid; what was not paid is passed over."""
        return replace(
            self,
            anchor=anchor,
            months=0,
            period=self.period + 1,
            paid_until=now_ms,
            due_at=now_ms,
        )


def share_of(merchant: str, subscription: str) -> int:
    """Give the place of a subscription among all, 0 to `SHARES` - 1: always the same, and even.

    The first per cent are those below a hundredth of `SHARES`.
    """
    digest = hashlib.sha256(f"{merchant}/{subscription}".encode()).digest()
    return int.from_bytes(digest[:8]) % SHARES


def shares_in(per_cent: float) -> int:
    """Give below which share the first so many per cent are."""
    return round(per_cent * SHARES / 100)


def well_ordered(retry_days: Sequence[int]) -> bool:
    """Whether each retry comes after the one before it."""
    return all(
        earlier < later for earlier, later in zip((0, *retry_days), retry_days, strict=False)
    )
