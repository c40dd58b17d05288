"""How long a faulty message rests: longer each time, never beyond the cap, no two alike."""

from __future__ import annotations

import random

import pytest

from conveyor.core.retries import RetryPolicy

MANY = 400


def rests(policy: RetryPolicy, receives: int) -> list[int]:
    rng = random.Random(5)
    return [policy.rest_seconds(receives, rng) for _ in range(MANY)]


@pytest.mark.parametrize("receives", range(1, 9))
def test_a_rest_is_between_half_of_its_ceiling_and_all_of_it(receives: int) -> None:
    policy = RetryPolicy(base_seconds=8.0, cap_seconds=10_000.0)
    ceiling = 8 * 2**receives
    found = rests(policy, receives)
    assert ceiling / 2 <= min(found) < ceiling * 0.6
    assert ceiling * 0.9 < max(found) <= ceiling


@pytest.mark.parametrize("receives", [9, 10, 30, 31, 1_000])
def test_no_rest_is_longer_than_the_cap(receives: int) -> None:
    found = rests(RetryPolicy(base_seconds=1.0, cap_seconds=300.0), receives)
    assert min(found) >= 150
    assert 270 < max(found) <= 300


def test_those_who_failed_together_do_not_come_back_together() -> None:
    found = rests(RetryPolicy(base_seconds=1.0, cap_seconds=300.0), 12)
    assert len(set(found)) > 100
    assert max(map(found.count, set(found))) < MANY / 20


def test_a_rest_is_a_second_at_least() -> None:
    assert set(rests(RetryPolicy(base_seconds=0.001), 1)) == {1}


@pytest.mark.parametrize(("receives", "exhausted"), [(2, False), (3, True), (4, True)])
def test_the_last_try_is_the_one_that_the_limit_names(receives: int, *, exhausted: bool) -> None:
    assert RetryPolicy(max_receives=3).exhausted(receives) is exhausted
