"""Leases: messages in our hands stay invisible while we work on them, and no longer."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable

from conveyor.core.ambient import Ambient
from conveyor.core.queue import (
    MAX_VISIBILITY_SECONDS,
    Queue,
    Received,
    VisibilityChange,
)
from conveyor.core.supervision import wait_for_stop

log = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
# A lease is extended when less than this part of a visibility timeout is left of it.
NEAR_EXPIRY = 0.4
EXTEND_SECONDS = 2.0
"""What an extension may take until it is in force."""
# With less, a lease that is not yet near its end at one check is over before the next is done.
MIN_VISIBILITY_SECONDS = math.ceil((CHECK_SECONDS + EXTEND_SECONDS) / NEAR_EXPIRY)
# SQS counts its 12 hours from the receive; stay clear of the edge.
CAP_MS = (MAX_VISIBILITY_SECONDS - 600) * 1000


class Leases:
    """The messages of one queue that this process has received and not yet let go."""

    def __init__(self, queue: Queue, ambient: Ambient) -> None:
        """The lease starts at the receive, not when the handler starts."""
        self._queue = queue
        self._ambient = ambient
        # Counted by a source that never steps: a clock that is set must not let leases end.
        self._until: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._holding = asyncio.Event()

    def __len__(self) -> int:
        """Count what is in our hands."""
        return len(self._until)

    def take(self, messages: Iterable[Received]) -> None:
        """Received: from now on the lease is kept alive."""
        now, wall = self._ambient.elapsed_ms(), self._ambient.now_ms()
        most = self._queue.spec.visibility_seconds * 1000
        for message in messages:
            self._until[message.receipt] = now + min(message.visible_at_ms - wall, most)
            self._first[message.receipt] = now
        if self._until:
            self._holding.set()

    def drop(self, receipts: Iterable[str]) -> None:
        """Stop extending; called before a back-off is set, which an extension would undo."""
        for receipt in receipts:
            self._until.pop(receipt, None)
            self._first.pop(receipt, None)
        if not self._until:
            self._holding.clear()
        self._changed.set()

    async def room(self, limit: int, stop: asyncio.Event) -> None:
        """Back-pressure: wait until fewer than `limit` messages are in our hands, or the stop."""
        while len(self._until) >= limit and not stop.is_set():
            self._changed.clear()
            await self._changed.wait()

    async def keep(self, stop: asyncio.Event) -> None:
        """Extend what is near expiry, until told to stop."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self._until_holding(stopping)
                try:
                    await self.extend_once()
                except Exception:
                    # What expires meanwhile comes back to somebody, and is stale or taken again.
                    log.exception("%s: leases could not be extended", self._queue.spec.name)
                await wait_for_stop(stop, CHECK_SECONDS)
        finally:
            stopping.cancel()

    async def _until_holding(self, stopping: asyncio.Task[bool]) -> None:
        """Sleep while nothing is in our hands: a system that is idle is to cost nothing."""
        if self._holding.is_set():
            return
        holding = asyncio.create_task(self._holding.wait())
        try:
            await asyncio.wait({holding, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            holding.cancel()

    async def extend_once(self) -> None:
        """Extend each lease that is near its end, never past the cap."""
        now = self._ambient.elapsed_ms()
        seconds = self._queue.spec.visibility_seconds
        near = [
            receipt
            for receipt, until in self._until.items()
            if until - now < seconds * 1000 * NEAR_EXPIRY and now - self._first[receipt] < CAP_MS
        ]
        if not near:
            return
        failed = set(await self._queue.set_visibility([VisibilityChange(r, seconds) for r in near]))
        for receipt in near:
            if receipt not in failed and receipt in self._until:
                self._until[receipt] = now + seconds * 1000
