"""What a story is drawn from: chance, and what this story is about."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from conveyor.system.built_in import built_in
from conveyor.testing.calls import Calls, of_ours
from conveyor.testing.story import PROCESSES, Event

QUEUES = ("payments", "inventory", "shipping", "orders", "bookings", "restaurants", "riders",
          "subscriptions", "intake")  # fmt: skip
BUSY_SECONDS = 60.0
"""In which orders come, and most of what happens to them."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What stories are about: flows, whom their orders call, and the queues that there are.

    `lives` are the names of a flow's lives, where it brings its own: those that may meet.
    """

    flows: Sequence[str]
    calls: Mapping[str, Calls]
    queues: Sequence[str] = QUEUES
    lives: Sequence[Sequence[str]] = ()


def ours(*flows: str) -> Subject:
    """Give what stories of these flows of ours are about, in their newest versions."""
    known = sorted((it for ours in built_in() for it in ours.flows), key=lambda it: it.version)
    return Subject(flows, {it.name: of_ours(it) for it in known})


@dataclass(frozen=True, slots=True)
class Plot:
    """What a story is drawn from. `operation` is what fails in it; None: now this, now that."""

    rng: random.Random
    subject: Subject
    operation: str | None = None

    @property
    def flows(self) -> Sequence[str]:
        """Whose orders come."""
        return self.subject.flows

    def calls(self) -> Calls:
        """Draw a flow, and give whom its orders call."""
        return self.subject.calls[self.rng.choice(self.flows)]

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
