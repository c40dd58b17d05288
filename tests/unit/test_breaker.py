"""When a provider is paused, who is its probe, and for how long the others wait."""

from __future__ import annotations

import random

from conveyor.core.breaker import (
    FAILURES_TO_PAUSE,
    LAST_REST_SECONDS,
    LONGEST_WAIT_SECONDS,
    PROBES_IN_A_ROW,
    Breaker,
)

SILENCE = TimeoutError("no answer")
AFTER_REST = 2 * LAST_REST_SECONDS


def breaker() -> Breaker:
    return Breaker("the bank", random.Random(1))


def paused() -> Breaker:
    it = breaker()
    for number in range(FAILURES_TO_PAUSE):
        it.failed(f"order {number}", SILENCE, 0.0)
    assert it.is_paused
    return it


def test_calls_that_fail_in_a_row_pause_it_and_an_answer_begins_the_count_anew() -> None:
    it = breaker()
    for number in range(3 * FAILURES_TO_PAUSE):
        it.failed(f"order {number}", SILENCE, 0.0)
        if number % (FAILURES_TO_PAUSE - 1) == 0:
            it.answered(0.0)
    assert not it.is_paused


def test_one_order_alone_never_pauses_it() -> None:
    it = breaker()
    for _ in range(3 * FAILURES_TO_PAUSE):
        it.failed("order 1", SILENCE, 0.0)
    assert not it.is_paused
    it.failed("order 2", SILENCE, 0.0)
    assert it.is_paused


def test_one_at_a_time_is_let_pass_and_only_after_a_rest() -> None:
    it = paused()
    assert not it.admits("order 1", 0.1)
    assert it.admits("order 1", AFTER_REST)
    assert it.holds_back("order 2", AFTER_REST)
    assert not it.admits("order 2", AFTER_REST)
    it.ended("order 1")  # it was too late to call, or its process let go of it
    assert it.admits("order 2", AFTER_REST)


def test_rests_grow_and_are_short_again_after_an_answer() -> None:
    it, now, rests = paused(), 0.0, list[float]()
    for _ in range(8):
        begun = now
        while not it.admits("order 1", now):
            now += 0.1
        rests.append(now - begun)
        it.failed("order 1", SILENCE, now)
        it.ended("order 1")
    assert rests[0] < 2
    assert LAST_REST_SECONDS / 2 < rests[-1] < LAST_REST_SECONDS + 0.2
    it.answered(now)
    assert not it.is_paused
    assert it.admits("order 1", now)


def test_a_call_that_was_under_way_before_makes_no_rest_longer() -> None:
    it = paused()
    for number in range(100):
        it.failed(f"order {number}", SILENCE, 1.0)
    assert it.admits("order 1", 3.0)


def _probed(it: Breaker, order_id: str, now: float) -> float:
    """Let a probe fail; gives when it did."""
    while not it.admits(order_id, now):
        now += 0.1
    it.failed(order_id, SILENCE, now)
    it.ended(order_id)
    return now


def test_who_was_the_probe_tries_again_some_times_and_then_comes_after_the_others() -> None:
    it, now = paused(), 0.0
    for _ in range(PROBES_IN_A_ROW - 1):
        now = _probed(it, "order 1", now)
        soon = now + it.wait_seconds("order 1", now)
        assert it.holds_back("order 2", soon)
        assert not it.holds_back("order 1", soon)
    now = _probed(it, "order 1", now)
    waits = [it.wait_seconds("order 2", now) for _ in range(200)]
    again = [it.wait_seconds("order 1", now) for _ in range(200)]
    assert sum(waits) < sum(again)
    assert it.admits("order 2", now + AFTER_REST)


def test_who_does_not_try_again_is_not_waited_for() -> None:
    it = paused()
    now = _probed(it, "order 1", 0.0)
    assert it.admits("order 2", now + AFTER_REST)


def test_the_more_wait_the_longer_each_does() -> None:
    it = paused()
    few = max(it.wait_seconds("order 1", 0.0) for _ in range(200))
    it.waiting |= {f"order {number}" for number in range(1_000)}
    many = max(it.wait_seconds("order 1", 0.0) for _ in range(200))
    assert few < 10 < many <= LONGEST_WAIT_SECONDS
