"""One virtual loop: its clock moves on only when nothing is left to do, and then jumps.

Whatever runs on it belongs to the process in whose context it was started, and stands still with
it: a process that is suspended keeps its callbacks and timers for later, a dead one has none.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import random
import selectors
from collections.abc import Coroutine
from contextvars import Context, ContextVar
from typing import Any, Protocol, TypeVar

from conveyor.core.ambient import Ambient

T = TypeVar("T")

START_MS = 1_767_225_600_000
"""The wall clock when a loop begins: 2026-01-01."""
# After a year of seconds a float tells no nanoseconds apart: a jump could fall short.
RESOLUTION_SECONDS = 1e-6
OUTSIDE = Context()
"""For callbacks that belong to no process: the world's own."""


class Owner(Protocol):
    """A process, as the loop sees it."""

    stands: bool
    """Suspended or dead: nothing of it runs."""

    def withhold(self, handle: asyncio.Handle) -> None:
        """Keep what would have run now."""
        ...


OWNER: ContextVar[Owner | None] = ContextVar("OWNER", default=None)


class NothingToDoError(RuntimeError):
    """Everybody waits for something that can never happen."""


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting, moves the loop's clock to the next timer."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise NothingToDoError("everybody waits, and nothing will ever happen")
        if not ready and timeout:
            self.loop.elapsed += timeout
            self.loop.jumps.append(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while nothing is left to do.

    `elapsed` are its seconds so far; `jumps` are the seconds of each jump.
    """

    def __init__(self, elapsed: float = 0.0) -> None:
        selector = _JumpingSelector()
        selector.loop = self
        self.elapsed = elapsed
        self.jumps: list[float] = []
        super().__init__(selector)
        self._clock_resolution = RESOLUTION_SECONDS

    def time(self) -> float:
        """Give the virtual seconds."""
        return self.elapsed


class ProcessLoop(VirtualLoop):
    """A virtual loop on which many processes run, each of which can stand still.

    It looks at no file and no socket; `steps` counts the callbacks that it ran.
    """

    _ready: Any
    _scheduled: Any
    _stopping: bool

    def __init__(self, elapsed: float = 0.0) -> None:
        super().__init__(elapsed)
        self.steps = 0
        # What a dead process's tasks have to say is of no interest.
        self.set_exception_handler(lambda _loop, _context: None)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing: a cancelled timer is passed over when its time comes."""

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        if not ready:
            while scheduled and scheduled[0]._cancelled:
                heapq.heappop(scheduled)
            if not scheduled:
                raise NothingToDoError("everybody waits, and nothing will ever happen")
            self.elapsed = max(self.elapsed, scheduled[0]._when)
        end = self.elapsed + RESOLUTION_SECONDS
        while scheduled and scheduled[0]._when <= end:
            ready.append(heapq.heappop(scheduled))
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            owner = handle._context.get(OWNER)
            if owner is not None and owner.stands:
                owner.withhold(handle)
                continue
            self.steps += 1
            handle._run()

    def resume(self, handles: list[asyncio.Handle]) -> None:
        """Run what was withheld, in its order."""
        self._ready.extend(handles)

    def clear(self) -> None:
        """Forget whatever is left, as when all processes end: the next run begins at zero."""
        bury(self)
        self.elapsed, self.steps = 0.0, 0


def bury(loop: asyncio.AbstractEventLoop) -> None:
    """Do what the kernel does at a process's end: nothing that is under way goes on."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is dead
        coroutine: Any = task.get_coro()
        with contextlib.suppress(BaseException):
            coroutine.close()
    loop._ready.clear()  # type: ignore[attr-defined]
    loop._scheduled.clear()  # type: ignore[attr-defined]


class LoopClock:
    """Wall-clock time that follows a loop's; that of whichever runs, if none is named."""

    def __init__(self, loop: VirtualLoop | None = None) -> None:
        self._loop = loop

    def now_ms(self) -> int:
        """Give the milliseconds since 1970."""
        loop = self._loop or asyncio.get_running_loop()
        return START_MS + round(loop.time() * 1000)


def virtual_ambient() -> Ambient:
    """Give what a system is handed on virtual time; its random numbers are always the same."""
    return Ambient(LoopClock(), random.Random(7))


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def jumps() -> list[float]:
    """Say how the running virtual loop's clock moved on so far."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.jumps
