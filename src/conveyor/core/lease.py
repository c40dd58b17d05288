"""Leases: what is in our hands stays with us while we work on it, and no longer.

A message stays invisible. What rides on has none: its row in the outbox is due later and later, so
that a sweeper finds it soon once this process has died.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable, Sequence

from conveyor.core.ambient import Ambient
from conveyor.core.message import Token, encode
from conveyor.core.outbox import RELAY_GRACE_MS, OwedToken, keep
from conveyor.core.queue import (
    MAX_VISIBILITY_SECONDS,
    Queue,
    Received,
    VisibilityChange,
)
from conveyor.core.supervision import wait_for_stop
from conveyor.core.transaction import Database

log = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
# A lease is extended when less than this part of a visibility timeout is left of it.
NEAR_EXPIRY = 0.4
EXTEND_SECONDS = 2.0
"""What an extension may take until it is in force."""
# With less, a lease that is not yet near its end at one check is over before the next is done.
MIN_VISIBILITY_SECONDS = math.ceil((CHECK_SECONDS + EXTEND_SECONDS) / NEAR_EXPIRY)
RIDE_SECONDS = 2 * RELAY_GRACE_MS / 1000
"""How long what rides stays ours without another word: its order waits for so long if we die."""
# SQS counts its 12 hours from the receive; stay clear of the edge.
CAP_MS = (MAX_VISIBILITY_SECONDS - 600) * 1000


class Leases:
    """The tokens of one queue that this process has taken and not yet let go."""

    def __init__(self, queue: Queue, ambient: Ambient, database: Database) -> None:
        """The lease starts at the receive, not when the handler starts."""
        self._queue = queue
        self._ambient = ambient
        self._database = database
        self._rides: dict[str, OwedToken] = {}
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

    def carry(self, owed: OwedToken) -> Received:
        """Take a token along as if it had been received, for the 0th time."""
        now, wall = self._ambient.elapsed_ms(), self._ambient.now_ms()
        token = Token(owed.order_id, owed.step, owed.version)
        receipt = f"{owed.order_id}.{owed.version}"
        self._rides[receipt] = owed
        self._until[receipt], self._first[receipt] = now + RELAY_GRACE_MS, now
        self._holding.set()
        return Received(encode(token, wall), receipt, receipt, 0, wall, wall + RELAY_GRACE_MS)

    def are_messages(self, receipts: Iterable[str]) -> list[str]:
        """Give those of them that the queue knows."""
        return [receipt for receipt in receipts if receipt not in self._rides]

    def drop(self, receipts: Iterable[str]) -> None:
        """Stop extending; called before a back-off is set, which an extension would undo."""
        for receipt in receipts:
            self._until.pop(receipt, None)
            self._first.pop(receipt, None)
            self._rides.pop(receipt, None)
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
        rides = [owed for it, owed in self._rides.items() if self._is_near(it, RIDE_SECONDS, now)]
        messages = self.are_messages(self._until)
        near = [it for it in messages if self._is_near(it, seconds, now)]
        if rides:
            await self._keep(rides)
            self._extended((f"{it.order_id}.{it.version}" for it in rides), RIDE_SECONDS, now)
        if near:
            changes = [VisibilityChange(receipt, seconds) for receipt in near]
            failed = set(await self._queue.set_visibility(changes))
            self._extended((it for it in near if it not in failed), seconds, now)

    def _is_near(self, receipt: str, seconds: float, now: int) -> bool:
        near = self._until[receipt] - now < seconds * 1000 * NEAR_EXPIRY
        return near and now - self._first[receipt] < CAP_MS

    async def _keep(self, rides: Sequence[OwedToken]) -> None:
        until = self._ambient.now_ms() + round(RIDE_SECONDS * 1000)
        await self._database.run(lambda tx: keep(tx, rides, until))

    def _extended(self, receipts: Iterable[str], seconds: float, now: int) -> None:
        for receipt in receipts:
            if receipt in self._until:
                self._until[receipt] = now + round(seconds * 1000)
