"""The queue service that the tests are for, and in what it departs from Amazon SQS."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from conveyor.core.queue import MAX_MESSAGE_BYTES, Queue, Queues, QueueSpec


@dataclass(frozen=True)
class QueuesUnderTest:
    """A queue service; `make` gives its queues, not yet open. The rest are its departures from SQS.

    The tests assert the departures too, so that one that ends is noticed.
    """

    make: Callable[[], Queues]
    largest_body: int = MAX_MESSAGE_BYTES
    """In bytes; SQS took 262,144 until 2025."""
    obeys_stale_receipts: bool = False
    """Any receipt that a message ever had deletes it; on SQS an older one does nothing."""
    obeys_ended_leases: bool = False
    """The latest receipt sets the visibility of a message that is visible again; SQS refuses."""
    deletes_fifo_after_lease: bool = False
    """It deletes from a FIFO queue after the lease ended; SQS says that it has expired."""
    refuses_second_delete: bool = False
    """The receipt of a deleted message is invalid; SQS accepts it."""
    deduplicates_by_contents_of_queue: bool = False
    """It deduplicates against what is in the queue, whatever its group; SQS for five minutes."""
    tells_cause: bool = False
    """An addition: its redrive policy tells, as an attribute `cause`, why it moved a message."""
    wakes: bool = False
    """An addition: its long polls end when they are asked to."""

    @asynccontextmanager
    async def deployed(self) -> AsyncIterator[Deployment]:
        """Open it for as long as its tests run."""
        queues = self.make()
        await queues.open()
        try:
            yield Deployment(self, queues)
        finally:
            await queues.close()


@dataclass(frozen=True)
class Deployment:
    """A service that is open, to which each test adds queues of its own."""

    under_test: QueuesUnderTest
    queues: Queues

    async def queue(
        self, *, fifo: bool = False, visibility_seconds: int = 30, max_receives: int = 10
    ) -> Queue:
        """Provision a queue."""
        spec = QueueSpec(fresh_name(), fifo, visibility_seconds, max_receives)
        await self.queues.provision([spec])
        return self.queues.queue(spec.name)


def fresh_name() -> str:
    """Give a name that no queue has."""
    return f"q{uuid.uuid4().hex}"
