"""Back-off with full jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a faulty step is tried, and how long it rests between."""

    max_receives: int = 8
    base_seconds: float = 1.0
    cap_seconds: float = 300.0

    def rest_seconds(self, tries: int, rng: random.Random) -> int:
        """Give how long a step rests after this many tries: whole seconds, at least 1."""
        ceiling = self._ceiling(tries)
        return max(1, round(rng.uniform(ceiling / 2, ceiling)))

    @property
    def longest_seconds(self) -> float:
        """How long a step rests at most, all in all, until its order is parked."""
        return sum(max(1.0, self._ceiling(tries)) for tries in range(1, self.max_receives))

    def exhausted(self, tries: int) -> bool:
        """Whether this was the last try before the order is parked."""
        return tries >= self.max_receives

    def _ceiling(self, tries: int) -> float:
        return min(self.cap_seconds, self.base_seconds * 2.0 ** min(tries, 30))
