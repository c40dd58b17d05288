"""Queues of which it is noticed when they are away, whoever asks them."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from conveyor.core.outage import QueueOutage
from conveyor.core.queue import (
    Depth,
    Outgoing,
    Queue,
    Queues,
    QueueSpec,
    Received,
    VisibilityChange,
)

T = TypeVar("T")


class WatchedQueue:
    """A queue, as it is."""

    def __init__(self, queue: Queue, outage: QueueOutage) -> None:
        self._queue = queue
        self._outage = outage
        self.spec = queue.spec
        self.receive_limit = queue.receive_limit

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """See `Queue`."""
        return await self._watched("send", self._queue.send(messages))

    async def receive(self, limit: int, wait_seconds: float) -> list[Received]:
        """See `Queue`."""
        return await self._watched("receive", self._queue.receive(limit, wait_seconds))

    async def delete(self, receipts: Sequence[str]) -> list[str]:
        """See `Queue`."""
        return await self._watched("delete", self._queue.delete(receipts))

    async def set_visibility(self, changes: Sequence[VisibilityChange]) -> list[str]:
        """See `Queue`."""
        return await self._watched("set_visibility", self._queue.set_visibility(changes))

    async def depth(self) -> Depth:
        """See `Queue`."""
        return await self._watched("depth", self._queue.depth())

    async def purge(self) -> None:
        """See `Queue`."""
        await self._queue.purge()

    def wake(self) -> None:
        """See `Queue`."""
        self._queue.wake()

    async def _watched(self, request: str, answer: Awaitable[T]) -> T:
        try:
            given = await answer
        except Exception as error:
            self._outage.failed(self.spec.name, request, error)
            raise
        self._outage.worked(self.spec.name, request)
        return given


class WatchedQueues:
    """All queues of one deployment, as they are."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues
        self._outage = QueueOutage()
        self._watched: dict[str, tuple[Queue, WatchedQueue]] = {}

    @property
    def requests(self) -> int:
        """See `Queues`."""
        return self._queues.requests

    def queue(self, name: str) -> Queue:
        """See `Queues`."""
        queue = self._queues.queue(name)
        known = self._watched.get(name)
        if known is None or known[0] is not queue:  # they may be opened anew
            known = self._watched[name] = queue, WatchedQueue(queue, self._outage)
        return known[1]

    async def provision(self, specs: Sequence[QueueSpec]) -> list[str]:
        """See `Queues`."""
        return await self._queues.provision(specs)

    async def open(self) -> None:
        """See `Queues`."""
        await self._queues.open()

    async def close(self) -> None:
        """See `Queues`."""
        await self._queues.close()
