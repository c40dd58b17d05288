"""A story: all that happens to a simulated system from outside.

Each event is explicit, so that a story can be told, shortened and replayed; see `drawing` for how
one is drawn from its seed, and `stage` for how each event is played.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

FLOWS = ("shop", "food", "travel", "renewal")
PROCESSES = 3
EVERY_PROCESS = -1
WHO_ASKED = -2
"""The process whose request an event comes upon."""
ITS_OWN = -2
"""The number of the customer whose order that request was for."""
# What customers do is no fault; of everything else that a story holds, the counts are shown.
CUSTOMERS = frozenset({"order", "subscribe", "town", "stock"})
# Nor is what people decide the fault of the machine.
PEOPLE = CUSTOMERS | {
    "again",
    "another",
    "cancel",
    "card",
    "unsubscribe",
    "scan",
    "operator",
    "poison",
    "refund",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens `at` so many seconds: of the story, or after what it comes `upon`."""

    at: float
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        facts = ", ".join(f"{name} {_told(value)}" for name, value in self.facts.items())
        return f"{self.at:8.1f} s  {self.kind}: {facts}"

    @property
    def ends(self) -> float:
        """When it is over."""
        return self.at + float(self.facts.get("seconds", 0.0))


def _told(value: object) -> str:
    return " then ".join(value) if isinstance(value, tuple) else str(value)


@dataclass(frozen=True, slots=True)
class Story:
    """What happens, in the order of time. `kept` are the events' numbers in the whole story."""

    seed: int
    flow: str
    events: tuple[Event, ...]
    kept: tuple[int, ...]

    @property
    def faults(self) -> list[Event]:
        """Everything but orders."""
        return [event for event in self.events if event.kind not in CUSTOMERS]

    @property
    def kinds(self) -> frozenset[str]:
        """What goes wrong in it, apart from what people do."""
        return frozenset(event.kind for event in self.events) - PEOPLE

    @property
    def name(self) -> str:
        """What replays it."""
        return f"{self.seed}:{','.join(map(str, self.kept))}"

    def only(self, kept: Collection[int]) -> Story:
        """Keep these of its events."""
        pairs = [(n, event) for n, event in zip(self.kept, self.events, strict=True) if n in kept]
        return Story(self.seed, self.flow, tuple(e for _, e in pairs), tuple(n for n, _ in pairs))
