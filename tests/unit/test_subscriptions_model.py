"""Billing periods, dunning days, beginnings, shares and the pace: pure rules, with properties."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conveyor.flows.renewal.subscriptions.beginning import InvalidField, NewSubscription, begin
from conveyor.flows.renewal.subscriptions.model import (
    CLOSE_MS,
    DAY_MS,
    SHARES,
    Plan,
    Subscription,
    SubscriptionStatus,
    share_of,
    shares_in,
    well_ordered,
)
from conveyor.flows.renewal.subscriptions.pace import BURST_MS, admit
from conveyor.flows.renewal.subscriptions.periods import Calendar, moment, wall_clock

NOW = moment(datetime(2026, 1, 1), "UTC")  # noqa: DTZ001 - a wall-clock time
PLAN = Plan("m", "monthly", 999, "USD")
ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe")

anchors = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001
calendars = st.builds(Calendar, anchors, st.sampled_from(ZONES))
months = st.integers(0, 240)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text)


def begun(plan: Plan = PLAN, now_ms: int = NOW, **wish: str) -> Subscription:
    given_wish = NewSubscription(
        **{"id": "s", "customer": "c", "plan": plan.id, "card": "card_ok", **wish}
    )
    subscription = begin("m", given_wish, plan, now_ms)
    assert isinstance(subscription, Subscription), subscription
    return subscription


class TestPeriods:
    @pytest.mark.parametrize(
        ("anchor", "after", "boundary"),
        [
            ("2026-01-31", 1, "2026-02-28"),
            ("2026-01-31", 2, "2026-03-31"),
            ("2026-01-31", 3, "2026-04-30"),
            ("2027-12-31", 2, "2028-02-29"),
            ("2024-02-29", 12, "2025-02-28"),
            ("2024-02-29", 48, "2028-02-29"),
            ("2026-12-15", 1, "2027-01-15"),
        ],
    )
    def test_a_month_without_the_day_ends_on_its_last(
        self, anchor: str, after: int, boundary: str
    ) -> None:
        assert Calendar(day(anchor), "UTC").boundary(after) == day(boundary)

    @given(calendars, months)
    def test_the_day_is_the_anchors_or_the_last_of_its_month(
        self, calendar: Calendar, after: int
    ) -> None:
        boundary = calendar.boundary(after)
        is_last = (boundary + timedelta(days=1)).month != boundary.month
        assert boundary.day == calendar.anchor.day or (
            is_last and boundary.day < calendar.anchor.day
        )
        assert boundary.time() == calendar.anchor.time()

    @given(calendars, months)
    def test_each_period_ends_where_the_next_begins_and_lasts_about_a_month(
        self, calendar: Calendar, after: int
    ) -> None:
        length = calendar.boundary_ms(after + 1) - calendar.boundary_ms(after)
        # 28 to 31 days, more or less the hour by which the clocks are set.
        assert 28 * DAY_MS - 3_600_000 <= length <= 31 * DAY_MS + 3_600_000

    @given(calendars, months, st.integers(1, 24))
    def test_the_months_to_a_boundary_are_found_again(
        self, calendar: Calendar, after: int, step: int
    ) -> None:
        between = after * step
        assert calendar.months_until(calendar.boundary(between), step) == between

    @given(calendars, months)
    def test_a_day_that_is_no_boundary_is_not_taken_for_one(
        self, calendar: Calendar, after: int
    ) -> None:
        beside = calendar.boundary(after) + timedelta(days=1)
        months_there = calendar.months_until(beside, 1)
        assert months_there is None or calendar.boundary(months_there).date() == beside.date()

    def test_midnight_is_that_of_the_subscriber(self) -> None:
        calendar = Calendar(day("2026-03-01"), "America/New_York")
        assert calendar.boundary_ms(0) == at("2026-03-01T05:00")
        assert calendar.boundary_ms(1) == at("2026-04-01T04:00")  # summer time has begun

    def test_a_time_that_the_clocks_skip_is_later_and_one_they_repeat_is_the_first(self) -> None:
        skipped = Calendar(day("2026-02-08T02:30"), "America/New_York")
        assert skipped.boundary_ms(1) == at("2026-03-08T07:30")  # 03:30 in summer time
        repeated = Calendar(day("2026-10-01T01:30"), "America/New_York")
        assert repeated.boundary_ms(1) == at("2026-11-01T05:30")  # still summer time

    @given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.sampled_from(ZONES))  # noqa: DTZ001
    def test_the_wall_clock_is_read_back_to_the_second(self, utc: datetime, zone: str) -> None:
        at_ms = round(utc.replace(tzinfo=UTC, microsecond=0).timestamp() * 1000)
        local = wall_clock(at_ms, zone)
        folded = local.replace(tzinfo=ZoneInfo(zone), fold=1).timestamp() * 1000
        assert at_ms in (moment(local, zone), round(folded))


def at(utc: str) -> int:
    return moment(datetime.fromisoformat(utc), "UTC")


class TestBeginning:
    def test_it_is_due_at_once(self) -> None:
        new = begun()
        assert (new.status, new.due_at, new.period) == (SubscriptionStatus.ACTIVE, NOW, 0)

    def test_a_trial_ends_where_the_first_period_begins(self) -> None:
        new = begun(replace(PLAN, trial_days=14), starts="2026-01-17")
        assert (new.status, new.due_at) == (SubscriptionStatus.TRIALING, at("2026-01-31"))
        assert new.has_access(PLAN, at("2026-01-20"))
        extended = new.extended(PLAN, Calendar(day(new.anchor), new.zone).boundary_ms(1))
        assert extended.due_at == at("2026-02-28")

    def test_one_that_was_paid_elsewhere_goes_on_with_its_own_day(self) -> None:
        new = begun(starts="2025-10-31", paid_until="2026-02-28")
        assert (new.period, new.months, new.due_at) == (4, 4, at("2026-02-28"))
        calendar = Calendar(day(new.anchor), new.zone)
        assert calendar.boundary(new.months + 1) == day("2026-03-31")

    @pytest.mark.parametrize(
        ("wish", "field"),
        [
            ({"zone": "Mars/Olympus"}, "zone"),
            ({"zone": "../etc/passwd"}, "zone"),
            ({"starts": "tomorrow"}, "starts"),
            ({"starts": "2026-01-31T00:00+01:00"}, "starts"),
            ({"starts": "2025-06-01"}, "starts"),
            ({"starts": "2025-06-01", "paid_until": "2026-01-02"}, "paid_until"),
            ({"starts": "2026-06-01", "paid_until": "2026-01-01"}, "paid_until"),
            ({"starts": "2025-06-01", "paid_until": "soon"}, "paid_until"),
        ],
    )
    def test_what_is_wrong_is_named(self, wish: dict[str, str], field: str) -> None:
        named = NewSubscription(
            **{"id": "s", "customer": "c", "plan": "monthly", "card": "x", **wish}
        )
        unfit = begin("m", named, PLAN, NOW)
        assert isinstance(unfit, InvalidField)
        assert unfit.field == field


class TestDunning:
    def test_it_is_tried_again_after_1_3_5_and_7_days_and_then_never(self) -> None:
        tries = [0]
        while (next_try := PLAN.retry_at(NOW, NOW + tries[-1] * DAY_MS)) is not None:
            tries.append((next_try - NOW) // DAY_MS)
        assert tries == [0, 1, 3, 5, 7]

    @given(st.lists(st.integers(1, 60), unique=True).map(sorted), st.integers(0, 70 * DAY_MS))
    def test_the_next_try_is_the_first_day_that_is_still_to_come(
        self, days: list[int], since: int
    ) -> None:
        plan = replace(PLAN, retry_days=tuple(days))
        next_try = plan.retry_at(NOW, NOW + since)
        ahead = [d for d in days if d * DAY_MS > since + CLOSE_MS]
        assert next_try == (NOW + ahead[0] * DAY_MS if ahead else None)

    def test_a_card_that_is_tried_in_between_takes_no_day_away(self) -> None:
        noon = NOW + DAY_MS // 2
        assert PLAN.retry_at(NOW, noon) == NOW + DAY_MS

    def test_grace_keeps_access_until_it_is_over(self) -> None:
        paid = begun().extended(PLAN, at("2026-02-01"))
        late = paid.claimed().declined(at("2026-02-01"), "insufficient funds")
        assert late.status == SubscriptionStatus.PAST_DUE
        assert late.has_access(PLAN, at("2026-02-08"))
        assert not late.has_access(PLAN, at("2026-02-09"))
        assert not late.ended(SubscriptionStatus.SUSPENDED, "").has_access(PLAN, at("2026-01-15"))
        assert late.ended(SubscriptionStatus.CANCELLED, "").has_access(PLAN, at("2026-01-15"))
        assert not late.ended(SubscriptionStatus.CANCELLED, "").has_access(PLAN, at("2026-02-02"))

    def test_who_has_never_paid_has_no_grace(self) -> None:
        assert not begun().claimed().declined(NOW, "").has_access(PLAN, NOW + 1)

    def test_retries_come_one_after_the_other(self) -> None:
        assert well_ordered((1, 3, 5))
        assert well_ordered(())
        assert not well_ordered((3, 3))
        assert not well_ordered((0, 1))


class TestShares:
    def test_the_first_per_cent_are_about_as_many_and_always_the_same(self) -> None:
        names = [f"subscription-{number}" for number in range(20_000)]
        first = {name for name in names if share_of("m", name) < shares_in(5)}
        assert 900 < len(first) < 1_100
        more = {name for name in names if share_of("m", name) < shares_in(20)}
        assert first < more
        assert shares_in(100) == SHARES

    @given(st.text(), st.text())
    def test_everybody_is_in_the_whole_and_nobody_in_none(self, merchant: str, name: str) -> None:
        assert shares_in(0) <= share_of(merchant, name) < shares_in(100)


class TestPace:
    @given(
        st.floats(0.01, 5_000),
        st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 500)), max_size=60),
    )
    def test_in_no_stretch_of_time_do_more_start_than_is_allowed(
        self, per_second: float, asked: list[tuple[int, int]]
    ) -> None:
        free_at, now, taken = 0, NOW, []
        for rest, wanted in asked:
            now += rest
            admitted = admit(free_at, now, per_second, wanted)
            assert 0 <= admitted.count <= wanted
            free_at = admitted.free_at
            taken.append((now, admitted.count))
        bucket = max(1.0, per_second * BURST_MS / 1000) + 1
        for first, (begin_at, _) in enumerate(taken):
            total = 0
            for then, count in taken[first:]:
                total += count
                assert total <= per_second * (then - begin_at) / 1000 + bucket

    @given(st.floats(0.01, 5_000), st.integers(1, 500))
    def test_who_waits_as_long_as_told_is_served(self, per_second: float, wanted: int) -> None:
        first = admit(0, NOW, per_second, wanted)
        assert first.count >= 1
        second = admit(first.free_at, NOW, per_second, wanted)
        later = NOW + second.wait_ms
        assert admit(first.free_at, later, per_second, wanted).count >= 1
        assert second.wait_ms <= 1_000 / per_second + 1_002
