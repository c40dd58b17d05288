"""Receives from one queue while there is room, and while what it gives can be committed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from conveyor.core.engine import Engine
from conveyor.core.queue import LONG_POLL_SECONDS, Queue, Received
from conveyor.core.supervision import wait_for_stop

log = logging.getLogger(__name__)

OUTAGE_PAUSE_SECONDS = 1.0
"""How long a poller rests when the queue does not answer."""


class Receiver:
    """Polls a queue: one poller waits while it is empty, the others join in while it is not."""

    def __init__(
        self,
        engine: Engine,
        queue: Queue,
        room: Callable[[asyncio.Event], Awaitable[None]],
        take: Callable[[Sequence[Received], asyncio.Event], Awaitable[None]],
    ) -> None:
        """`room` waits for room, or the stop; `take` is given what comes, be it after the stop."""
        self._engine = engine
        self._queue = queue
        self._room = room
        self._take = take
        self._busy = asyncio.Event()

    def wake(self) -> None:
        """Let all pollers see that they are to stop."""
        self._queue.wake()
        self._busy.set()

    async def poll(self, stop: asyncio.Event, *, first: bool) -> None:
        """Receive until told to stop; a poll that is under way then may still bring something."""
        while not stop.is_set():
            if not first:
                await self._busy.wait()
            await self._engine.gate.opened(stop)
            await self._room(stop)
            if stop.is_set():
                return
            if not self._engine.gate.is_open:
                continue  # it was closed while there was no room
            messages: list[Received] = []
            said, name = "%s: receive failed", self._queue.spec.name
            with self._engine.gate.surviving(log, said, name) as receiving:
                wait = LONG_POLL_SECONDS if first else 0
                messages = await self._queue.receive(self._queue.receive_limit, wait)
            if receiving.error:
                await wait_for_stop(stop, OUTAGE_PAUSE_SECONDS)
                continue
            if len(messages) >= self._queue.receive_limit:
                self._busy.set()
            else:
                self._busy.clear()
            await self._take(messages, stop)
