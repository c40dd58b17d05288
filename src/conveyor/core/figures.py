"""What a process did in the last minute, as it writes it down beside its sign of life.

Rates need two looks at what is only counted up: this keeps the looks of the last minute.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

import orjson

from conveyor.core.measures import CALL_SECONDS, Measures

WINDOW_MS = 60_000
NO_ANSWER = frozenset({"failed", "unknown"})
"""What a call came to that had no answer: see `calling`."""
MOST_OF_THEM = 0.95

Buckets = tuple[int, ...]
_NONE: Buckets = (0,) * (len(CALL_SECONDS) + 1)


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a provider: how many, those without an answer, and how long they took."""

    count: int = 0
    failed: int = 0
    seconds: float = 0.0
    buckets: Buckets = _NONE

    def __add__(self, other: Calls) -> Calls:
        """Put together what two processes saw, or two steps."""
        buckets = tuple(map(sum, zip(self.buckets, other.buckets, strict=True)))
        count, failed = self.count + other.count, self.failed + other.failed
        return Calls(count, failed, self.seconds + other.seconds, buckets)

    def __sub__(self, other: Calls) -> Calls:
        """Give what has come since then."""
        buckets = tuple(a - b for a, b in zip(self.buckets, other.buckets, strict=True))
        count, failed = self.count - other.count, self.failed - other.failed
        return Calls(count, failed, self.seconds - other.seconds, buckets)

    @property
    def mean_ms(self) -> int | None:
        """Give how long one took; None: there was none."""
        return round(self.seconds / self.count * 1000) if self.count else None

    @property
    def most_within_ms(self) -> int | None:
        """Give the bound within which 95 of 100 ended; None: there is none, or it is beyond all."""
        for bound, so_far in zip(CALL_SECONDS, accumulate(self.buckets), strict=False):
            if self.count and so_far >= self.count * MOST_OF_THEM:
                return round(bound * 1000)
        return None


@dataclass(frozen=True, slots=True)
class Figures:
    """What was done in a minute: `received` and `ridden` by queue, `calls` by provider."""

    received: Mapping[str, int] = field(default_factory=dict)
    ridden: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, Calls] = field(default_factory=dict)
    requests: int = 0

    def as_text(self) -> str:
        """Write it as JSON."""
        return orjson.dumps(self).decode()


def figures_in(text: str) -> Figures | None:
    """Read it; None: a process of another version has written it, or none yet."""
    if not text:
        return None
    try:
        read = orjson.loads(text)
        calls = {
            name: Calls(it["count"], it["failed"], it["seconds"], tuple(it["buckets"]))
            for name, it in read["calls"].items()
        }
        if any(len(it.buckets) != len(_NONE) for it in calls.values()):
            return None
        return Figures(read["received"], read["ridden"], calls, read["requests"])
    except (KeyError, TypeError, ValueError):
        return None


def together(them: Iterable[Figures]) -> Figures:
    """Add up what several processes did."""
    received: Counter[str] = Counter()
    ridden: Counter[str] = Counter()
    calls: dict[str, Calls] = {}
    requests = 0
    for it in them:
        received.update(it.received)
        ridden.update(it.ridden)
        requests += it.requests
        for name, some in it.calls.items():
            calls[name] = calls.get(name, Calls()) + some
    return Figures(received, ridden, calls, requests)


class Recent:
    """Turns what one process has counted since it began into figures of the last minute."""

    def __init__(self, now_ms: int) -> None:
        """It has done nothing yet. Times are of a clock that never steps."""
        self._looks: deque[tuple[int, Figures]] = deque([(now_ms, Figures())])

    def look(self, counted: Figures, now_ms: int) -> Figures:
        """Give what was done in the minute before."""
        self._looks.append((now_ms, counted))
        while len(self._looks) > 1 and self._looks[1][0] <= now_ms - WINDOW_MS:
            self._looks.popleft()
        since, before = self._looks[0]
        # The last look but a minute may be somewhat older than that.
        return _per_minute(counted, before, WINDOW_MS / max(now_ms - since, WINDOW_MS))


def counted(measures: Measures, tally: Mapping[tuple[str, str], int], requests: int) -> Figures:
    """Give what a process has counted since it began."""
    received = {queue: sum(it.counts) for (queue,), it in measures.queue_seconds.items()}
    ridden = {queue: many for (what, queue), many in tally.items() if what == "ridden"}
    calls: dict[str, Calls] = {}
    for (provider, _, outcome), it in measures.call_seconds.items():
        count = sum(it.counts)
        failed = count if outcome in NO_ANSWER else 0
        some = Calls(count, failed, it.sum, tuple(it.counts))
        calls[provider] = calls.get(provider, Calls()) + some
    return Figures(received, ridden, calls, requests)


def _per_minute(now: Figures, before: Figures, scale: float) -> Figures:
    def counts(new: Mapping[str, int], old: Mapping[str, int]) -> dict[str, int]:
        return {it: round((many - old.get(it, 0)) * scale) for it, many in new.items()}

    calls = {}
    for name, it in now.calls.items():
        new = it - before.calls.get(name, Calls())
        buckets = tuple(round(count * scale) for count in new.buckets)
        failed, seconds = round(new.failed * scale), new.seconds * scale
        calls[name] = Calls(sum(buckets), failed, seconds, buckets)
    return Figures(
        counts(now.received, before.received),
        counts(now.ridden, before.ridden),
        calls,
        round((now.requests - before.requests) * scale),
    )
