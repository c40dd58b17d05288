"""A loop and a clock on which waiting takes no time, for tests of what waits."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from conveyor.messaging.ambient import Ambient

T = TypeVar("T")

START_MS = 1_700_000_000_000


class VirtualLoop(asyncio.SelectorEventLoop):
    """When nothing is ready, its clock jumps to the next timer; `jumps` are the seconds of each."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.jumps: list[float] = []
        selector = selectors.DefaultSelector()
        super().__init__(selector)
        poll = selector.select

        def select(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            ready = poll(0)
            if not ready and timeout is None:
                raise RuntimeError("everybody waits, and nothing will ever happen")
            if not ready and timeout:
                self.seconds += timeout
                self.jumps.append(timeout)
            return ready

        selector.select = select  # type: ignore[method-assign]

    def time(self) -> float:
        return self.seconds


class LoopClock:
    """Wall-clock time that follows the running loop's."""

    def now_ms(self) -> int:
        return START_MS + round(asyncio.get_running_loop().time() * 1000)


def virtual_ambient() -> Ambient:
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
