"""A clock that goes on by itself, and believes what it hears of the time only by and by.

Its time is an offset to a source that never steps: the time since the machine was started. What
it is told is the time elsewhere (see `app.timekeeper`): a small difference is made good slowly,
so that time never stands nor goes back; a large one only when it has lasted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

MS = 1000
SMALL_MS = 60_000
"""A difference up to this is made good slowly; where it is larger, one of two clocks is wrong."""
SLEW_PER_SECOND_MS = 20.0
"""How much of a small difference is made good in a second: a minute in fifty minutes."""
LASTING_SECONDS = 300.0
"""How long a large difference must last until it is believed."""


def since_boot_seconds() -> float:
    """Read what never steps: the time since boot, that asleep included, where there is such."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


def machine_ms() -> int:
    """Read the machine's wall clock, which may be wrong, and may step."""
    return time.time_ns() // 1_000_000


class MachineClock:
    """The machine's wall clock as it is, for what takes a moment and keeps nothing."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        return machine_ms()


@dataclass(frozen=True, slots=True)
class Reading:
    """It was `ms` since the Unix epoch when the steady source said `at_seconds`."""

    ms: float
    at_seconds: float


class SteadyClock:
    """Wall-clock time that steps only when what it follows has been elsewhere for long."""

    def __init__(self, elapsed: Callable[[], float], first: Reading) -> None:
        """`elapsed` gives seconds of the steady source; `first` is believed."""
        self._elapsed = elapsed
        self._offset_ms = first.ms - first.at_seconds * MS
        self._owing_ms = 0.0  # what is being made good, since `_since`
        self._since = self._made_good_at = first.at_seconds
        self._stray_ms: float | None = None  # the large difference that was last heard of
        self._stray_since = 0.0

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        at = self._elapsed()
        return round(self._offset_at(at) + at * MS)

    def hear(self, reading: Reading) -> None:
        """Take note of the time elsewhere."""
        at = reading.at_seconds
        self._offset_ms = self._offset_at(at)
        self._since, self._owing_ms = at, 0.0
        difference = reading.ms - (self._offset_ms + at * MS)
        if abs(difference) <= SMALL_MS:
            self._owing_ms = difference
            self._stray_ms = None
            self._made_good_at = at + abs(difference) / SLEW_PER_SECOND_MS
        elif self._stray_ms is None or abs(difference - self._stray_ms) > SMALL_MS:
            log.warning("the clock is %+.0f s off; believed if it lasts", difference / MS)
            self._stray_ms, self._stray_since = difference, at
        elif at - self._stray_since >= LASTING_SECONDS:
            log.warning("the clock has been set by %+.0f s: believed now", difference / MS)
            self._offset_ms += difference
            self._stray_ms = None

    def _offset_at(self, at_seconds: float) -> float:
        if at_seconds >= self._made_good_at:
            return self._offset_ms + self._owing_ms
        can = max(at_seconds - self._since, 0.0) * SLEW_PER_SECOND_MS
        return self._offset_ms + max(-can, min(can, self._owing_ms))
