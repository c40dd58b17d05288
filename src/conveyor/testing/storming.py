"""Queues that send every message many times, at different times and in no order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from conveyor.core.queue import Outgoing
from conveyor.testing.each_queue import EachQueue

COPIES = 10
SPREAD_SECONDS = 30


class StormQueue:
    """Sends every message ten times, in shuffled order."""

    def __init__(self, queue: Any, rng: random.Random) -> None:
        self._queue, self._rng = queue, rng
        self._late: set[asyncio.Future[None]] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Send each ten times; gives those that the queue does not take."""
        copies = [message for message in messages for _ in range(COPIES)]
        if self._queue.spec.fifo:
            self._late |= {asyncio.ensure_future(self._send_later(copy)) for copy in copies}
            return []
        delayed = [replace(m, delay_seconds=self._rng.randrange(SPREAD_SECONDS)) for m in copies]
        self._rng.shuffle(delayed)
        failed: list[int] = await self._queue.send(delayed)
        return failed

    async def _send_later(self, message: Outgoing) -> None:
        # A FIFO queue that keeps no order: each copy is another message, in a group of its own.
        await asyncio.sleep(self._rng.uniform(0, SPREAD_SECONDS))
        name = f"storm-{self._rng.random()}"
        await self._queue.send([replace(message, group=name, deduplication_id=name)])


def storming(queues: Any) -> EachQueue:
    """Give queues of which each is a storm."""
    rng = random.Random(7)
    return EachQueue(queues, lambda queue: StormQueue(queue, rng))
