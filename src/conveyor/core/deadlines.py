"""Deadlines of many calls at once, with one timer: a timer for each would cost more than a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from conveyor.core.errors import UnansweredError

T = TypeVar("T")


class Deadlines:
    """Cuts off what takes longer than `seconds`. All may take as long: they end in their order."""

    def __init__(self, seconds: float) -> None:
        """Nothing is timed while nothing is under way."""
        self._seconds = seconds
        self._until: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def keep(self, work: Awaitable[T]) -> T:
        """Await it, one at a time in a task. Raises `UnansweredError` when it takes too long."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - whoever awaits is in one
        self._until[task] = until = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(until, self._cut_off, loop)
        try:
            return await work
        except asyncio.CancelledError:
            # Somebody else may have cancelled it too: then it is to end.
            if task in self._late and task.uncancel() <= 0:
                raise UnansweredError(f"no answer within {self._seconds:g} s") from None
            raise
        finally:
            self._until.pop(task, None)
            self._late.discard(task)

    def _cut_off(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        for task, until in list(self._until.items()):
            if until > loop.time():
                self._timer = loop.call_at(until, self._cut_off, loop)
                return
            del self._until[task]
            self._late.add(task)
            task.cancel()
