"""The edges of renewals: periods that end where they say, retries that have just been taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conveyor.flows.renewal.subscriptions.beginning import InvalidField, NewSubscription, begin
from conveyor.flows.renewal.subscriptions.model import DAY_MS, Plan, Subscription

NOW = 1_767_225_600_000  # 2026-01-01
PLAN = Plan("m", "p", 999, "USD", months=3)


def paid(until: str, plan: Plan = PLAN, starts: str = "2025-03-31") -> Subscription | InvalidField:
    wish = NewSubscription("s", "c", plan.id, "card_ok", starts=starts, paid_until=until)
    return begin("m", wish, plan, NOW)


@pytest.mark.parametrize(
    ("until", "period"), [("2025-03-31", 0), ("2025-06-30", 1), ("2026-03-31", 4)]
)
def test_what_is_paid_ends_with_a_period(until: str, period: int) -> None:
    begun = paid(until)
    assert isinstance(begun, Subscription)
    assert (begun.period, begun.months) == (period, 3 * period)


@pytest.mark.parametrize(
    "until",
    [
        "2025-04-30",  # a month's end, but not a quarter's
        "2025-05-31",
        "2025-06-29",
        "2025-07-01",
        "2026-03-30",
        "2025-03-30",
    ],
)
def test_paid_until_the_middle_of_a_period_is_not_taken(until: str) -> None:
    unfit = paid(until)
    assert isinstance(unfit, InvalidField)
    assert unfit.field == "paid_until"


# A try that is due is taken by one machine's clock and noted by another's: up to a minute earlier.
@pytest.mark.parametrize(
    ("early_ms", "next_day"),
    [(0, 3), (1, 3), (30_000, 3), (60_000, 3), (60_001, 1), (3_600_000, 1)],
)
def test_a_try_that_has_just_been_taken_is_not_taken_again(early_ms: int, next_day: int) -> None:
    retry_at = PLAN.retry_at(NOW, NOW + DAY_MS - early_ms)
    assert retry_at == NOW + next_day * DAY_MS


def test_the_last_try_by_a_clock_that_is_slow_is_the_last() -> None:
    plan = replace(PLAN, retry_days=(1,))
    assert plan.retry_at(NOW, NOW + DAY_MS - 59_000) is None


def test_days_are_counted_from_the_first_decline() -> None:
    begun = paid("2026-03-31")
    assert isinstance(begun, Subscription)
    first = begun.declined(NOW, "no")
    again = first.declined(NOW + DAY_MS, "no")
    assert (first.past_due_since, again.past_due_since) == (NOW, NOW)
    assert again.extended(PLAN, NOW + 90 * DAY_MS).past_due_since is None
