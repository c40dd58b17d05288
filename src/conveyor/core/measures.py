"""What a process counts and times as it works: plain numbers, which its metrics tell when asked.

Counting must cost next to nothing beside the work. What happens in a transaction is counted once
that has committed, since it may be run again: see `commit` in `relay`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from conveyor.core.tracing import Happened, OrderPlaced, StepTraced

if TYPE_CHECKING:
    from conveyor.core.traces import Traces

CALL_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
WAIT_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0)
LIFE_SECONDS = (
    0.1,
    0.5,
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    3_600.0,
    14_400.0,
    86_400.0,
    604_800.0,
)
"""A meal takes minutes, a parcel days."""


class Histogram:
    """How often something took how long: a count for each bound, and one for what took longer."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Nothing was seen. `bounds` rise; what took just as long as one is counted there."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one. A clock that was set back makes nothing take less than no time."""
        seconds = max(seconds, 0.0)
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds


class Histograms(dict[tuple[str, ...], Histogram]):
    """A histogram for each combination of labels that was seen."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        super().__init__()
        self.bounds = bounds

    def __missing__(self, labels: tuple[str, ...]) -> Histogram:
        """Begin one."""
        return self.setdefault(labels, Histogram(self.bounds))


class StepEnded(NamedTuple):
    """A step of a flow was taken and came to this."""

    flow: str
    step: str
    outcome: str


class OrderSettled(NamedTuple):
    """An order came to its end so long after it was placed."""

    flow: str
    status: str
    seconds: float


Measured = StepEnded | OrderSettled | OrderPlaced | StepTraced | Happened


class Measures:
    """What one process has counted."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.steps: Counter[StepEnded] = Counter()
        self.step_seconds = Histograms(CALL_SECONDS)
        """By step: from the taking of its token to the commit, a call between them included."""
        self.queue_seconds = Histograms(WAIT_SECONDS)
        """By queue: from the sending of a message to its first taking."""
        self.call_seconds = Histograms(CALL_SECONDS)
        """By provider, step and what came of it."""
        self.order_seconds = Histograms(LIFE_SECONDS)
        """By flow and status, from an order's placing to its end."""
        self.traces: Traces | None = None
        """What tells of orders as traces; None: nobody asked for them."""

    def take(self, measured: Iterable[Measured]) -> None:
        """Count what has committed."""
        for it in measured:
            if isinstance(it, StepEnded):
                self.steps[it] += 1
            elif isinstance(it, OrderSettled):
                self.order_seconds[it.flow, it.status].observe(it.seconds)
            elif self.traces is not None:
                self.traces.take(it)
