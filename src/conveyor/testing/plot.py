"""What a story is drawn from: chance, and what this story is about."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conveyor.testing.story import PROCESSES, Event

OPERATIONS = {
    "shop": ("authorize", "capture", "void", "refund", "lookup", "dispatch", "status", ""),
    "food": ("authorize", "capture", "void", "lookup", ""),
    "travel": ("authorize", "capture", "void", "refund", "lookup", ""),
    "renewal": ("charge", "refund", "lookup", ""),
}
BUSY_SECONDS = 60.0
"""In which orders come, and most of what happens to them."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What a story is drawn from. `operation` is what fails in it; None: now this, now that."""

    rng: random.Random
    flows: Sequence[str]
    operation: str | None = None

    def when(self) -> float:
        """Draw when something happens."""
        rng = self.rng
        most = rng.choice((3, 20, BUSY_SECONDS))
        return round(rng.uniform(0, most), 2)

    def seconds(self, *choices: float) -> float:
        """Draw how long it takes."""
        return round(self.rng.choice(choices) * self.rng.uniform(0.5, 1.5), 2)

    def process(self) -> int:
        """Draw whom it concerns."""
        return self.rng.randrange(PROCESSES)


Draw = Callable[[Plot], Event]
