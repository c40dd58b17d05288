"""Queues that send every message many times, at different times and in no order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from conveyor.messaging.queue import Outgoing

COPIES = 10
SPREAD_SECONDS = 30


class StormQueue:
    """Sends every message ten times, in shuffled order."""

    def __init__(self, queue: Any, rng: random.Random) -> None:
        self._queue, self._rng = queue, rng

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        copies = [
            replace(message, delay_seconds=self._rng.randrange(SPREAD_SECONDS))
            for message in messages
            for _ in range(COPIES)
        ]
        self._rng.shuffle(copies)
        failed: list[int] = await self._queue.send(copies)
        return failed


class StormQueues:
    """Queues whose every queue is a storm."""

    def __init__(self, queues: Any) -> None:
        self._queues, self._rng = queues, random.Random(7)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queues, name)

    def queue(self, name: str) -> StormQueue:
        return StormQueue(self._queues.queue(name), self._rng)
