"""What many lives came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from conveyor.testing.story import CUSTOMERS
from conveyor.testing.world import Outcome


@dataclass(slots=True)
class Totals:
    """What all runs came to so far."""

    runs: int = 0
    steps: int = 0
    seconds: float = 0.0
    events: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count in a run."""
        self.runs += 1
        self.steps += outcome.steps
        self.seconds += outcome.seconds
        self.events.update(event.kind for event in outcome.story.events)

    def lines(self, took: float) -> Iterator[str]:
        """Say it."""
        days = self.seconds / 86_400
        yield f"{self.runs:,} runs, {self.steps:,} steps, {days:,.1f} days lived in {took:,.0f} s"
        faults = {kind: n for kind, n in sorted(self.events.items()) if kind not in CUSTOMERS}
        told = ", ".join(f"{kind} {n:,}" for kind, n in faults.items())
        yield f"{sum(faults.values()):,} faults: {told or 'none'}"
