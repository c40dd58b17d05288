"""Replay: places every order of a file, waits until all of them are settled, and reports.

The idempotency key of a line is the digest of the whole file and the line's number: a replay that
was broken off, by whatever, goes on where it was when it is run again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from conveyor.commerce.orders.placement import KeyInFlight, KeyReused, Overloaded, Placed
from conveyor.operations.order_file import OrderFile

IN_FLIGHT = 2_000
"""Orders of one replay that may be unsettled at a time."""
CHUNK = 200
"""Orders that are placed at once, at most."""
CHUNKS_IN_FLIGHT = 10
LOOK_SECONDS = 0.25
"""How often open orders are counted while too many are."""
BUSY_SECONDS = 0.5
STALLED_SECONDS = 10.0
"""After how long without an order that settles it is said what they wait for."""
MAX_BAD_LINES = 10
"""Bad lines that are shown; all are counted."""


@dataclass(frozen=True, slots=True)
class Unacceptable:
    """The order is not taken, and trying again would not help; `reason` names the field."""

    reason: str


Answer = Placed | KeyReused | KeyInFlight | Overloaded | Unacceptable


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Orders by status, money by currency in minor units, and times from placed to settled."""

    by_status: Mapping[str, int]
    captured: Mapping[str, int]
    refunded: Mapping[str, int]
    refused_because: Mapping[str, int]
    latency_ms: Mapping[str, int | None]


class ReplayTarget(Protocol):
    """Where one file's orders are placed: a running server, or the system in this process."""

    async def place(self, key: str, text: bytes) -> Answer:
        """Place one order, given as JSON; called for many at once."""
        ...

    async def count_open(self, prefix: str, /) -> int:
        """Count those that are not settled: neither at their end nor parked. Cheap.

        `prefix` is how the idempotency keys of the file's orders begin.
        """
        ...

    async def waiting(self) -> str:
        """Say what one of the open orders waits for; '' when none does."""
        ...

    async def requests(self) -> int | None:
        """Give how many requests SQS has been sent so far; None when there is no SQS."""
        ...

    async def report(self, prefix: str) -> ReplayReport:
        """Look at all of the file's orders, once none of them is open."""
        ...


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that did not become an order."""

    number: int
    cause: str


@dataclass(slots=True)
class Progress:
    """How far a replay is. `settled` counts what it placed, now or earlier."""

    orders: int
    placed: int = 0
    already_placed: int = 0
    rejected: int = 0
    settled: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)
    waits: str = ""
    """What the open ones wait for, once none has settled for a while."""

    @property
    def open(self) -> int:
        """What has been placed and is not known to be settled."""
        return self.placed + self.already_placed - self.settled


class Replay:
    """One run over one file."""

    def __init__(
        self,
        target: ReplayTarget,
        file: OrderFile,
        *,
        in_flight: int = IN_FLIGHT,
        tell: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        """`tell` is called often; the progress that it is given goes on changing."""
        self.progress = Progress(file.orders)
        self._target = target
        self._file = file
        self._in_flight = in_flight
        self._chunk = max(1, min(CHUNK, in_flight // CHUNKS_IN_FLIGHT))
        self._tell = tell

    async def run(self) -> Progress:
        """Place everything and wait until it is settled."""
        for chunk in _chunks(self._file.lines(), self._chunk):
            await self._until_open(self._in_flight - len(chunk))
            async with asyncio.TaskGroup() as placing:
                for number, text in chunk:
                    placing.create_task(self._take(number, text))
            self._tell(self.progress)
        await self._until_open(0)
        return self.progress

    async def _take(self, number: int, text: bytes) -> None:
        progress = self.progress
        match await self._place(number, text):
            case Placed(again=True):
                progress.already_placed += 1
            case Placed():
                progress.placed += 1
            case BadLine() as bad:
                progress.rejected += 1
                if len(progress.bad_lines) < MAX_BAD_LINES:
                    progress.bad_lines.append(bad)

    async def _place(self, number: int, text: bytes) -> Placed | BadLine:
        key = f"{self._file.prefix}{number}"
        while True:
            match await self._target.place(key, text):
                case Placed() as placed:
                    return placed
                case Unacceptable(reason):
                    return BadLine(number, reason)
                case KeyReused(_, order_id):
                    return BadLine(number, f"its key placed order {order_id}, which is another")
                case KeyInFlight() | Overloaded():
                    await asyncio.sleep(BUSY_SECONDS)

    async def _until_open(self, limit: int) -> None:
        """Wait until no more than `limit` orders are open."""
        progress, now = self.progress, asyncio.get_running_loop().time
        moved_at = now()
        while progress.open > limit:
            before = progress.settled
            still_open = await self._target.count_open(self._file.prefix)
            progress.settled = progress.placed + progress.already_placed - still_open
            if progress.settled != before:
                moved_at, progress.waits = now(), ""
            elif not progress.waits and now() - moved_at > STALLED_SECONDS:
                progress.waits = await self._target.waiting()
            self._tell(progress)
            if still_open > limit:
                await asyncio.sleep(LOOK_SECONDS)


def wait_in_words(order_id: str, what: str, until: str | None) -> str:
    """Say what an order waits for."""
    return f"Order {order_id} waits for {what}{f', until {until}' if until else ''}."


def _chunks(lines: Iterable[tuple[int, bytes]], size: int) -> Iterator[Sequence[tuple[int, bytes]]]:
    rest = iter(lines)
    while chunk := list(islice(rest, size)):
        yield chunk
