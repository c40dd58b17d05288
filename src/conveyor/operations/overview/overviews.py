"""One look a second at everybody's orders, however many look on; each sees its merchant's part."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from conveyor.core.engine import Engine
from conveyor.core.order_status import OrderStatus
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.core.workers import Worker
from conveyor.core.workers import listing as workers
from conveyor.operations.overview.lines import FlowLine, Rates, lines_of
from conveyor.operations.overview.open_orders import Standers, standers
from conveyor.operations.overview.passing import (
    BUCKET_MS,
    LATE_MS,
    WINDOW_MS,
    Buckets,
    Passed,
    Passing,
)
from conveyor.operations.summary import P50, P99, Summary

LOOK_MS = 1_000
REST_FACTOR = 10
"""After a look, so many times as long as it took until the next: a tenth of one processor."""
PATIENCE_SECONDS = 0.25
"""For so long a page waits for what has passed; then it comes without, and that follows."""
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened in one stretch of the window, as a minute of it would have; times in ms."""

    at: int
    placed: int
    ended: int
    p50: int | None
    p99: int | None


@dataclass(frozen=True, slots=True)
class Overview:
    """What one viewer sees; `refused` counts reasons, the times are of the window's ends.

    What happened is None as long as it is still read.
    """

    at: int
    lines: list[FlowLine]
    missing: dict[str, int]
    moments: list[Moment]
    placed_a_minute: int | None
    ended_a_minute: int | None
    p50: int | None
    p99: int | None
    refused: list[tuple[str, int]]
    workers: list[Worker]

    @property
    def knows_what_passed(self) -> bool:
        """Whether what happened is known, and not still read."""
        return self.placed_a_minute is not None

    @property
    def open(self) -> int:
        """Give how many orders are on their way."""
        return sum(line.open for line in self.lines)

    @property
    def parked(self) -> int:
        """Give how many wait for an operator."""
        return sum(line.parked for line in self.lines)


@dataclass(frozen=True, slots=True)
class _Look:
    at: int
    knows_what_passed: bool
    standers: list[Standers]
    workers: list[Worker]


class Overviews:
    """Looks only while somebody asks, and for all who ask at once."""

    def __init__(self, engine: Engine) -> None:
        """Nothing was seen yet."""
        self._engine = engine
        self._passing = Passing()
        self._looking = asyncio.Lock()
        self._look: _Look | None = None
        self._rests_until = 0
        self._seen: dict[str | None, Overview] = {}
        self._catching_up: asyncio.Task[None] | None = None

    async def of(self, merchant: str | None) -> Overview:
        """Give what there is to see of this merchant's orders, or of everybody's (None)."""
        async with self._looking:
            if self._look is None or self._engine.ambient.elapsed_ms() >= self._rests_until:
                self._look = await self._look_now()
            if merchant not in self._seen:
                self._seen[merchant] = self._overview(self._look, merchant)
            return self._seen[merchant]

    async def _look_now(self) -> _Look:
        engine = self._engine
        begun, now = engine.ambient.elapsed_ms(), engine.ambient.now_ms()

        knows = await self._read_on(now)

        def read(tx: Tx) -> _Look:
            return _Look(now, knows, standers(tx), workers(tx))

        look = await engine.database.read(read)
        cost = engine.ambient.elapsed_ms() - begun
        self._rests_until = begun + cost + max(LOOK_MS, REST_FACTOR * cost)
        self._seen.clear()
        return look

    async def _read_on(self, now: int) -> bool:
        """Read what has passed; where that is much, beside those who wait for the page."""
        database = self._engine.database
        if self._catching_up is None and self._passing.is_current(now):
            await self._passing.read_on(database, now)
            return True
        if self._catching_up is None:
            self._catching_up = asyncio.create_task(self._passing.read_on(database, now))
        await asyncio.wait({self._catching_up}, timeout=PATIENCE_SECONDS)
        if not self._catching_up.done():
            return False
        caught_up, self._catching_up = self._catching_up, None
        caught_up.result()
        return True

    def _overview(self, look: _Look, merchant: str | None) -> Overview:
        mine = [it for it in look.standers if merchant in {None, it.merchant}]
        buckets = _of(self._passing.buckets if look.knows_what_passed else {}, merchant)
        until = look.at - LATE_MS
        minute = _total(buckets, until - MINUTE_MS, until)
        window = _total(buckets, until - WINDOW_MS, until)
        rates = Rates(_steps(minute), _ends_by_flow(minute)) if look.knows_what_passed else None
        lines, missing = lines_of(self._engine.registry, mine, rates, look.at)
        took = Summary(latencies=_times(window))
        return Overview(
            at=look.at,
            lines=lines,
            missing=missing,
            moments=_moments(buckets, until) if rates else [],
            placed_a_minute=_placed(minute) if rates else None,
            ended_a_minute=_ended(minute) if rates else None,
            p50=took.latency(P50),
            p99=took.latency(P99),
            refused=_refusals(window),
            workers=look.workers,
        )


def _of(buckets: Buckets, merchant: str | None) -> Buckets:
    if merchant is None:
        return buckets
    return {
        begin: Counter({it: many for it, many in bucket.items() if it.merchant == merchant})
        for begin, bucket in buckets.items()
    }


def _total(buckets: Buckets, since: int, until: int) -> Counter[Passed]:
    """Add up whole buckets: those that have begun in this time."""
    total: Counter[Passed] = Counter()
    for begin, bucket in buckets.items():
        if since - BUCKET_MS < begin <= until - BUCKET_MS:
            total.update(bucket)
    return total


def _steps(passed: Counter[Passed]) -> Counter[tuple[str, str]]:
    steps: Counter[tuple[str, str]] = Counter()
    for it, many in passed.items():
        if it.event == TimelineEvent.DONE:
            steps[it.flow, it.step] += many
    return steps


def _ends_by_flow(passed: Counter[Passed]) -> Counter[str]:
    ends: Counter[str] = Counter()
    for it, many in passed.items():
        if it.is_end:
            ends[it.flow] += many
    return ends


def _moments(buckets: Buckets, until: int) -> list[Moment]:
    last = until - until % BUCKET_MS  # which is not over
    scale = MINUTE_MS // BUCKET_MS
    moments = []
    for begin in range(last - WINDOW_MS, last, BUCKET_MS):
        bucket = buckets.get(begin, Counter())
        took = Summary(latencies=_times(bucket))
        placed, ended = _placed(bucket) * scale, _ended(bucket) * scale
        moments.append(Moment(begin, placed, ended, took.latency(P50), took.latency(P99)))
    return moments


def _placed(passed: Counter[Passed]) -> int:
    return sum(many for it, many in passed.items() if it.event == TimelineEvent.PLACED)


def _ended(passed: Counter[Passed]) -> int:
    return sum(many for it, many in passed.items() if it.is_end)


def _times(passed: Counter[Passed]) -> Counter[int]:
    times: Counter[int] = Counter()
    for it, many in passed.items():
        if it.is_end:
            times[it.took_ms] += many
    return times


def _refusals(passed: Counter[Passed]) -> list[tuple[str, int]]:
    reasons: Counter[str] = Counter()
    for it, many in passed.items():
        if it.is_end and it.event == OrderStatus.REFUSED:
            reasons[it.reason] += many
    return reasons.most_common()
