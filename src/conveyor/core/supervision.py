"""The supervisor: no loop of a process that lives ends silently."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

from conveyor.core.outage import surviving
from conveyor.core.personal import without_values

log = logging.getLogger(__name__)

FIRST_REST_SECONDS = 1.0
LAST_REST_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A loop that has run for so long since it was started again counts as mended."""

Loop = Callable[[asyncio.Event], Awaitable[None]]
"""What runs until the event that it is given is set."""


class Supervisor:
    """Keeps loops going: what ends before the stop is logged, counted and started again."""

    def __init__(self, random: Random) -> None:
        """Nothing is started; see `keep`."""
        self._random = random
        self._ended: dict[str, tuple[float, str]] = {}
        self.kept: set[str] = set()
        """The loops that there are, or were."""
        self.restarts: Counter[str] = Counter()
        """How often each loop has ended and was started again: shown at /metrics."""

    async def keep(self, name: str, loop: Loop, stop: asyncio.Event) -> None:
        """Run a loop until the stop, again whenever it ends before that."""
        self.kept.add(name)
        rest = FIRST_REST_SECONDS
        while not stop.is_set():
            began = _time()
            with surviving(log, "the loop %r broke", name) as running:
                await loop(stop)
            if stop.is_set():
                return
            error = running.error
            why = f"{type(error).__name__}: {error}" if error else "it returned"
            log.error("the loop %r has ended (%s) and is started again", name, without_values(why))
            self.restarts[name] += 1
            self._ended[name] = (_time(), why)
            if _time() - began > STEADY_SECONDS:
                rest = FIRST_REST_SECONDS
            await wait_for_stop(stop, self._random.uniform(rest / 2, rest))
            rest = min(LAST_REST_SECONDS, rest * 2)

    def unsteady(self) -> dict[str, str]:
        """Give the loops that ended within `STEADY_SECONDS`, and why."""
        since = _time() - STEADY_SECONDS
        return {name: why for name, (at, why) in self._ended.items() if at > since}


def _time() -> float:
    return asyncio.get_running_loop().time()


async def wait_for_stop(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake at once when `stop` is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
