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
        ceiling = min(self.cap_seconds, self.base_seconds * 2 ** min(tries, 30))
        return max(1, round(rng.uniform(ceiling / 2, ceiling)))

    def exhausted(self, tries: int) -> bool:
        """Whether this was the last try before the order is parked."""
        return tries >= self.max_receives
