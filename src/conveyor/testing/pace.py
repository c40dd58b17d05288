"""Idle loops rest longer and longer, until something happens: looking would find nothing.

What a process polls for every second would make an idle hour cost more than a busy minute. So a
loop that has found nothing rests twice as long each time; whatever is committed, sent or received
anywhere lets all of them look again at their own pace.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from conveyor.core import lease, supervision
from conveyor.testing.loop import OUTSIDE, ProcessLoop

LONGEST_SECONDS = 900.0
LONGEST_OF_DAYS_SECONDS = 4 * 3600.0
"""Where a user's flow waits for days."""
_KEPT: ContextVar[lease.Leases | None] = ContextVar("_KEPT", default=None)
"""The leases that the running loop keeps."""


_WAIT_FOR_STOP = supervision.wait_for_stop


class Pace:
    """How long each loop rests."""

    def __init__(
        self,
        loop: ProcessLoop,
        next_due: Callable[[], float | None],
        longest: float = LONGEST_SECONDS,
    ) -> None:
        """`next_due` gives in how many seconds something is due; nobody rests for `longest`."""
        self._longest = longest
        self._loop = loop
        self._next_due = next_due
        self.events = 0
        """How often something happened."""
        self._of: WeakKeyDictionary[asyncio.Task[Any], tuple[int, float]] = WeakKeyDictionary()
        self._long: dict[asyncio.Future[bool], float] = {}
        self._empty: dict[lease.Leases, tuple[asyncio.Future[bool], float]] = {}
        """Who looks after leases of which there are none."""

    def clear(self) -> None:
        """Begin anew."""
        self._of.clear()
        self._long.clear()
        self._empty.clear()

    def happened(self) -> None:
        """Something was done: let everybody look again."""
        self.events += 1
        if self._long:
            for sleeper, base in self._long.items():
                self._loop.call_later(base, _wake, sleeper, context=OUTSIDE)
            self._long.clear()

    async def rest(self, stop: asyncio.Event, seconds: float) -> None:
        """Stand in for `wait_for_stop`; of a system that lives beside this one nothing changes."""
        if asyncio.get_running_loop() is not self._loop:
            await _WAIT_FOR_STOP(stop, seconds)
            return
        task: Any = asyncio.current_task()
        seen, rested = self._of.get(task, (-1, 0.0))
        chosen = seconds
        if seen == self.events:
            due = self._next_due()
            most = self._longest if due is None else min(max(due, seconds), self._longest)
            chosen = max(min(2 * rested, most), seconds)
        self._of[task] = (self.events, chosen)
        await self._sleep(stop, seconds, chosen)

    async def rest_with_leases(self, stop: asyncio.Event, seconds: float) -> None:
        """Do as `rest` does, but at an even pace where messages of its queue are in hand."""
        leases = _KEPT.get()
        if leases is None or asyncio.get_running_loop() is not self._loop:
            await self.rest(stop, seconds)
        elif len(leases):
            await self._sleep(stop, seconds, seconds)
        else:
            # Nothing can be near its end until something is taken.
            sleeper = self._loop.create_future()
            self._empty[leases] = (sleeper, seconds)
            await self._sleep(stop, self._longest, self._longest, sleeper)

    def taken(self, leases: lease.Leases) -> None:
        """These hold something again: let them be looked at."""
        if found := self._empty.pop(leases, None):
            self._loop.call_later(found[1], _wake, found[0], context=OUTSIDE)

    async def _sleep(
        self,
        stop: asyncio.Event,
        base: float,
        seconds: float,
        sleeper: asyncio.Future[bool] | None = None,
    ) -> None:
        if stop.is_set():
            return
        sleeper = sleeper or self._loop.create_future()
        # The event wakes whoever waits for it, as it does in its own `wait`.
        waiters: Any = stop._waiters
        waiters.append(sleeper)
        timer = self._loop.call_later(seconds, _wake, sleeper)
        if seconds > base:
            self._long[sleeper] = base
        try:
            await sleeper
        finally:
            timer.cancel()
            self._long.pop(sleeper, None)
            waiters.remove(sleeper)


def _wake(sleeper: asyncio.Future[bool]) -> None:
    if not sleeper.done():
        sleeper.set_result(True)


@contextmanager
def paced(pace: Pace) -> Iterator[None]:
    """Let every loop of ours rest by this pace."""
    original = _WAIT_FOR_STOP
    users = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("conveyor.") and getattr(module, "wait_for_stop", None) is original
    ]
    for module in users:
        named: Any = module
        named.wait_for_stop = pace.rest_with_leases if module is lease else pace.rest
    keep, hold = lease.Leases.keep, lease.Leases._hold

    async def keep_known(self: lease.Leases, stop: asyncio.Event) -> None:
        _KEPT.set(self)
        await keep(self, stop)

    def hold_known(self: lease.Leases, milliseconds: Mapping[str, int]) -> None:
        hold(self, milliseconds)
        if milliseconds:
            pace.taken(self)

    # Only a simulated life has idle loops whose every look costs it; both are put back below.
    lease.Leases.keep = keep_known  # type: ignore[method-assign]
    lease.Leases._hold = hold_known  # type: ignore[method-assign]
    try:
        yield
    finally:
        lease.Leases.keep, lease.Leases._hold = keep, hold  # type: ignore[method-assign]
        for module in users:
            restored: Any = module
            restored.wait_for_stop = original
