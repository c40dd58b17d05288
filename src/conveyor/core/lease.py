"""Leases: what is in our hands stays with us while we work on it, and no longer."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence

from conveyor.core.ambient import Ambient
from conveyor.core.outage import surviving
from conveyor.core.queue import (
    MAX_VISIBILITY_SECONDS,
    Queue,
    Received,
    VisibilityChange,
)
from conveyor.core.supervision import wait_for_stop
from conveyor.core.time_limits import CHECK_SECONDS, NEAR_EXPIRY

log = logging.getLogger(__name__)

# SQS counts its 12 hours from the receive; stay clear of the edge.
CAP_MS = (MAX_VISIBILITY_SECONDS - 600) * 1000


class Leases(ABC):
    """What this process has taken and not yet let go, each by its receipt."""

    def __init__(
        self, name: str, seconds: float, ambient: Ambient, freed: asyncio.Event | None = None
    ) -> None:
        """`seconds` is what an extension gives; `name` is told where one fails.

        `freed` is set whenever something is let go.
        """
        self._name = name
        self._seconds = seconds
        self._ambient = ambient
        # Counted by a source that never steps: a clock that is set must not let leases end.
        self._until: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._holding = asyncio.Event()
        self._freed = freed or asyncio.Event()

    def __len__(self) -> int:
        """Count what is in our hands."""
        return len(self._until)

    @abstractmethod
    async def _extend(self, receipts: Sequence[str]) -> Collection[str]:
        """Ask for `seconds` more from now; gives those of them that were not extended."""

    def _hold(self, milliseconds: Mapping[str, int]) -> None:
        """Hold these receipts, each for so long from now."""
        if milliseconds:
            now = self._ambient.elapsed_ms()
            for receipt, held in milliseconds.items():
                self._until[receipt], self._first[receipt] = now + held, now
            self._holding.set()

    def drop(self, receipts: Iterable[str]) -> None:
        """Stop extending; called before a back-off is set, which an extension would undo."""
        for receipt in receipts:
            self._until.pop(receipt, None)
            self._first.pop(receipt, None)
        if not self._until:
            self._holding.clear()
        self._freed.set()

    async def keep(self, stop: asyncio.Event) -> None:
        """Extend what is near expiry, until told to stop."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self._until_holding(stopping)
                # What expires meanwhile comes back to somebody, and is stale or taken again.
                with surviving(log, "%s: leases could not be extended", self._name):
                    await self.extend_once()
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
        whole = round(self._seconds * 1000)
        near = [
            receipt
            for receipt, until in self._until.items()
            if until - now < whole * NEAR_EXPIRY and now - self._first[receipt] < CAP_MS
        ]
        if not near:
            return
        failed = set(await self._extend(near))
        for receipt in near:
            if receipt not in failed and receipt in self._until:
                self._until[receipt] = now + whole


class MessageLeases(Leases):
    """The messages of one queue: they stay invisible."""

    def __init__(self, queue: Queue, ambient: Ambient, freed: asyncio.Event | None = None) -> None:
        """The lease starts at the receive, not when the handler starts."""
        super().__init__(queue.spec.name, queue.spec.visibility_seconds, ambient, freed)
        self._queue = queue

    def take(self, messages: Iterable[Received]) -> None:
        """Received: from now on the lease is kept alive."""
        wall, most = self._ambient.now_ms(), round(self._seconds * 1000)
        self._hold({it.receipt: min(it.visible_at_ms - wall, most) for it in messages})

    async def _extend(self, receipts: Sequence[str]) -> Collection[str]:
        seconds = round(self._seconds)
        return await self._queue.set_visibility([VisibilityChange(it, seconds) for it in receipts])
