"""Queues of which each has something before it: one that dies, that waits long, or that storms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PATIENT_SECONDS = 6 * 3_600.0
"""For how long loops rest at most that find nothing to do, in a machine that is paced."""


class EachQueue:
    """Queues each of which is wrapped when it is asked for; the rest is theirs."""

    def __init__(self, queues: Any, wrap: Callable[[Any], Any]) -> None:
        self._queues, self._wrap = queues, wrap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queues, name)

    def queue(self, name: str) -> Any:
        """Give one of them, wrapped."""
        return self._wrap(self._queues.queue(name))


class PatientQueue:
    """Waits for messages for as long as idle loops rest: it hears of each that comes."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def receive(self, count: int, wait_seconds: float) -> Any:
        """Receive, and where that may wait, wait for long."""
        return await self._queue.receive(count, PATIENT_SECONDS if wait_seconds else 0)
