"""What a process counts and times as it works: plain numbers, which its metrics tell when asked.

Counting must cost next to nothing beside the work. What happens in a transaction is counted once
that has committed, since it may be run again: see `commit` in `relay`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from conveyor.core.tracing import (
    Happened,
    OrderPlaced,
    SpanContext,
    StepTraced,
    read_traceparent,
)

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


class Exemplar(NamedTuple):
    """One of those that were counted: the span that tells of it, how long it took, and when."""

    span: SpanContext
    seconds: float
    at_ms: int


class Histogram:
    """How often something took how long: a count for each bound, and one for what took longer.

    `exemplars` has of each of these the last that is in a trace.
    """

    __slots__ = ("bounds", "counts", "exemplars", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Nothing was seen. `bounds` rise; what took just as long as one is counted there."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.exemplars: dict[int, Exemplar] = {}
        self.sum = 0.0

    def observe(self, seconds: float, span: SpanContext | None = None, at_ms: int = 0) -> None:
        """Count one. A clock that was set back makes nothing take less than no time.

        `span` is one that somebody keeps, where there is one.
        """
        seconds = max(seconds, 0.0)
        at = bisect_left(self.bounds, seconds)
        self.counts[at] += 1
        self.sum += seconds
        if span is not None:
            self.exemplars[at] = Exemplar(span, seconds, at_ms)


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
    """An order came to its end so long after it was placed, in this trace or in none."""

    flow: str
    status: str
    seconds: float
    traceparent: str | None


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
                self.observe(self.order_seconds[it.flow, it.status], it.seconds, it.traceparent)
            elif self.traces is not None:
                self.traces.take(it)

    def observe(self, of: Histogram, seconds: float, span: SpanContext | str | None) -> None:
        """Count one of a histogram that is in this span, or under this `traceparent`."""
        if self.traces is None or not span:
            of.observe(seconds)
            return
        found = read_traceparent(span) if isinstance(span, str) else span
        kept = found if found is not None and found.sampled else None
        of.observe(seconds, kept, self.traces.now_ms())
