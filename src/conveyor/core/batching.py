"""Group whatever is waiting: items that arrive while a group is handled form the next group."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")
Waiting = tuple[T, asyncio.Future[R]]


class Batcher(Generic[T, R]):
    """Hands items to `handle` in groups and gives each submitter its own result.

    `handle` gives one result an item, in order; an exception among them is raised to that
    submitter alone, one that `handle` raises to all of the group. `linger_seconds` waits for a
    fuller group; with 0 there is no wait and the size adapts to the load by itself. With
    `full_lanes` a further lane opens, and goes on, only for a full group: where each group costs a
    request, what is less than that is better added to than sent at once. Fewer items than
    `linger_from` are not kept waiting for company. The last items of a group for which `handle`
    gives no result are handled with the next.
    """

    def __init__(
        self,
        handle: Callable[[list[T]], Awaitable[Sequence[R | BaseException]]],
        max_size: int,
        *,
        lanes: int = 1,
        linger_seconds: float = 0.0,
        full_lanes: bool = False,
        linger_from: int = 1,
    ) -> None:
        """Run at most `lanes` groups at the same time."""
        self._handle = handle
        self._max_size = max_size
        self._lanes = lanes
        self._linger = linger_seconds
        self._full_lanes = full_lanes
        self._linger_from = linger_from
        self._waiting: deque[Waiting[T, R]] = deque()
        self._urgent: deque[Waiting[T, R]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Count the items that wait for a group."""
        return len(self._waiting) + len(self._urgent)

    @property
    def is_urged(self) -> bool:
        """Whether something urgent waits: the next group is of such alone."""
        return bool(self._urgent)

    def submit(self, item: T, *, urgent: bool = False) -> asyncio.Future[R]:
        """Queue the item, what is `urgent` before all else; the future ends when it was handled."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        (self._urgent if urgent else self._waiting).append((item, future))
        if len(self._running) < self._lanes and self._worth_a_group(others=len(self._running)):
            self._running.add(asyncio.get_running_loop().create_task(self._drain()))
        return future

    async def join(self) -> None:
        """Wait until nothing is waiting or under way."""
        while self._running:
            await asyncio.wait(tuple(self._running))

    def _worth_a_group(self, others: int) -> bool:
        """Whether to take what is waiting; `others` are the lanes that could take it later."""
        if self._full_lanes and others:
            return len(self) >= self._max_size
        return bool(len(self))

    async def _drain(self) -> None:
        try:
            while self._worth_a_group(others=len(self._running) - 1):
                if self._linger and self._linger_from <= len(self) < self._max_size:
                    await asyncio.sleep(self._linger)
                waiting = self._urgent or self._waiting
                count = min(self._max_size, len(waiting))
                group = [waiting.popleft() for _ in range(count)]
                if group:
                    await self._run_group(group, waiting)
        finally:
            # Not by a callback of the task: it runs later, and who submits meanwhile would wait
            # for a lane that has gone.
            self._running.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _run_group(self, group: list[Waiting[T, R]], waiting: deque[Waiting[T, R]]) -> None:
        try:
            results = await self._handle([item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - handed to every submitter
            results = [error] * len(group)
        if not results:  # else it would be handled for ever
            results = [AssertionError("nothing of a group was done")] * len(group)
        waiting.extendleft(reversed(group[len(results) :]))
        for (_, future), result in zip(group, results, strict=False):
            if future.done():  # the submitter was cancelled; the work stands all the same
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)


async def each_its_own(
    work: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
    group: Sequence[T],
    nobodys: tuple[type[Exception], ...] = (),
) -> Sequence[R | BaseException]:
    """Do `work` for a group at once, and where that raises for one after the other.

    What it raises for one alone is that one's result: whose fault it was is known then. What is
    `nobodys` is raised at once, for all: it would be the same for each.
    """
    try:
        return await work(group)
    except nobodys:
        raise
    except Exception as error:  # noqa: BLE001 - handed to whoever submitted it
        if len(group) == 1:
            return [error]
    return [result for item in group for result in await each_its_own(work, [item], nobodys)]
