"""The clock goes on steadily, whatever the machine's or the server's does."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from conveyor.adapters.steady_clock import (
    LASTING_SECONDS,
    SLEW_PER_SECOND_MS,
    SMALL_MS,
    Reading,
    SteadyClock,
)

START_MS = 1_700_000_000_000
YEAR_MS = 365 * 86_400_000
LOOK_SECONDS = 15.0


class Around:
    """A steady source, and a wall clock that can be set."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.wrong_ms = 0
        self.clock = SteadyClock(lambda: self.seconds, self.reading)

    @property
    def true_ms(self) -> float:
        return START_MS + self.seconds * 1000

    @property
    def reading(self) -> Reading:
        return Reading(self.true_ms + self.wrong_ms, self.seconds)

    def live(self, seconds: float) -> list[float]:
        """Give how far off the clock was meanwhile, a figure a second."""
        off = []
        for second in range(round(seconds)):
            self.seconds += 1
            if second % LOOK_SECONDS == 0:
                self.clock.hear(self.reading)
            off.append(self.clock.now_ms() - self.true_ms)
        return off


@pytest.fixture
def around() -> Around:
    return Around()


def test_it_goes_on_by_itself(around: Around) -> None:
    around.seconds += 86_400
    assert around.clock.now_ms() == around.true_ms


@pytest.mark.parametrize("wrong_ms", [YEAR_MS, -YEAR_MS, 3_600_000, -3_600_000, SMALL_MS + 1])
def test_a_large_step_is_not_believed_at_once(around: Around, wrong_ms: int) -> None:
    around.wrong_ms = wrong_ms
    assert set(around.live(LASTING_SECONDS)) == {0.0}
    around.wrong_ms = 0
    assert set(around.live(LASTING_SECONDS * 2)) == {0.0}


@pytest.mark.parametrize("wrong_ms", [YEAR_MS, -3_600_000])
def test_a_large_step_that_lasts_is_believed_with_a_warning(
    around: Around, wrong_ms: int, caplog: pytest.LogCaptureFixture
) -> None:
    around.wrong_ms = wrong_ms
    off = around.live(LASTING_SECONDS + 3 * LOOK_SECONDS)
    assert off[-1] == wrong_ms
    assert len(caplog.records) == 2


def test_a_clock_that_steps_again_and_again_is_never_believed(around: Around) -> None:
    for number in range(100):
        around.wrong_ms = YEAR_MS * (-1) ** number
        assert set(around.live(2 * LOOK_SECONDS)) == {0.0}


@pytest.mark.parametrize("wrong_ms", [SMALL_MS, -SMALL_MS, 700, -1])
def test_a_small_difference_is_made_good_slowly(around: Around, wrong_ms: int) -> None:
    around.wrong_ms = wrong_ms
    off = around.live(SMALL_MS / SLEW_PER_SECOND_MS + 2 * LOOK_SECONDS)
    steps = [after - before for before, after in pairwise(off)]
    assert all(abs(step) <= SLEW_PER_SECOND_MS + 1 for step in steps)
    assert off[-1] == wrong_ms
    around.seconds += 1_000_000
    assert around.clock.now_ms() - around.true_ms == wrong_ms


def test_time_goes_on_whatever_small_things_are_heard(around: Around) -> None:
    rng = random.Random(1)
    last = around.clock.now_ms()
    for _ in range(10_000):
        around.seconds += rng.uniform(0.001, 1)
        around.wrong_ms = rng.randint(-SMALL_MS // 2, SMALL_MS // 2)
        around.clock.hear(around.reading)
        now = around.clock.now_ms()
        assert now >= last
        last = now
