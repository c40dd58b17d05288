"""What simulated restaurants and riders have in common: they look around, and do what is due.

They keep no state of their own: what they have been asked, and since when, stands in our tables, so
that any number of processes can play them, and any of them can end at any moment.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence

from conveyor.core.ambient import Ambient
from conveyor.core.errors import (
    CommitUnknownError,
    DatabaseUnavailableError,
    QueueUnavailableError,
)
from conveyor.core.outage import tell
from conveyor.core.supervision import wait_for_stop

log = logging.getLogger(__name__)

# How they behave.
PROMPT = "prompt"
SLOW = "slow"
REFUSING = "refusing"
SILENT = "silent"

LOOK_SECONDS = 1.0
MAX_DEEDS = 500
"""Things that are done at once."""
SLOWNESS = 0.8
"""The part of its deadline that a slow one takes to answer."""
OUTAGES = (DatabaseUnavailableError, CommitUnknownError, QueueUnavailableError)


class Crowd(ABC):
    """Many simulated counterparts in one loop."""

    def __init__(self, ambient: Ambient) -> None:
        self._ambient = ambient

    @abstractmethod
    async def due(self, now_ms: int) -> Sequence[Awaitable[object]]:
        """Give up to `MAX_DEEDS` things that are to be done now, not yet begun."""

    async def look(self) -> int:
        """Do what is due; gives how much that was. What is too late is turned away, no harm."""
        deeds = await self.due(self._ambient.now_ms())
        await asyncio.gather(*deeds)
        return len(deeds)

    async def run(self, stop: asyncio.Event) -> None:
        """Look around, again and again, until `stop` is set."""
        while not stop.is_set():
            done = 0
            try:
                done = await self.look()
            except OUTAGES as error:
                tell(log, error, "the simulation cannot go on now; it is tried again")
            if done < MAX_DEEDS:
                await wait_for_stop(stop, LOOK_SECONDS)
