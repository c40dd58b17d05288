"""The messages that Lambda hands to a function, as the port that our consumers know.

Lambda deletes what the function does not name as failed; a message that it names comes again when
its visibility timeout ends, which a back-off sets as it does in a worker.
Rules: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conveyor.core.ambient import Ambient
from conveyor.core.queue import (
    Depth,
    Outgoing,
    Queue,
    Queues,
    QueueSpec,
    Received,
    VisibilityChange,
)


class HandedQueue:
    """A queue whose messages somebody else receives and deletes."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.spec = queue.spec
        self.receive_limit = queue.receive_limit
        self._done: set[str] = set()

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Send, as ever."""
        return await self._queue.send(messages)

    async def receive(self, limit: int, wait_seconds: float) -> list[Received]:  # noqa: ARG002 - the port's
        """Give nothing: messages are handed in."""
        return []

    async def delete(self, receipts: Sequence[str]) -> list[str]:
        """Remember what is done: it will not be named as failed."""
        self._done.update(receipts)
        return []

    async def set_visibility(self, changes: Sequence[VisibilityChange]) -> list[str]:
        """Let messages rest; they are not done."""
        return await self._queue.set_visibility(changes)

    async def depth(self) -> Depth:
        """Count, as ever."""
        return await self._queue.depth()

    async def purge(self) -> None:
        """Delete every message, as ever."""
        await self._queue.purge()

    def wake(self) -> None:
        """Do nothing: nobody waits."""

    def failed(self, messages: Sequence[Received]) -> list[str]:
        """Give the ids of what is not done, and on a FIFO queue of what comes after it."""
        stopped: set[str] = set()
        failed = []
        for message in messages:
            if message.receipt not in self._done or message.group in stopped:
                failed.append(message.message_id)
                if self.spec.fifo:
                    stopped.add(message.group)
        return failed


class HandedQueues:
    """All queues, one of them with messages that were handed in."""

    def __init__(self, queues: Queues, handed: HandedQueue) -> None:
        self._queues = queues
        self._handed = handed

    @property
    def requests(self) -> int:
        """Calls made so far."""
        return self._queues.requests

    def queue(self, name: str) -> Queue:
        """Give the queue of this name."""
        return self._handed if name == self._handed.spec.name else self._queues.queue(name)

    async def provision(self, specs: Sequence[QueueSpec]) -> list[str]:
        """Create what is missing, as ever."""
        return await self._queues.provision(specs)

    async def open(self) -> None:
        """Do nothing: they are open."""

    async def close(self) -> None:
        """Do nothing: they stay open."""


def name_in(arn: str) -> str:
    """Give the name of a queue on SQS, which is the last part of its ARN."""
    return arn.rpartition(":")[2]


def received(record: Mapping[str, Any], ambient: Ambient, visibility_seconds: int) -> Received:
    """Read a record of an event."""
    system = record["attributes"]
    return Received(
        record["body"],
        record["receiptHandle"],
        record["messageId"],
        int(system["ApproximateReceiveCount"]),
        int(system["SentTimestamp"]),
        ambient.now_ms() + visibility_seconds * 1000,
        system.get("MessageGroupId", ""),
        tuple(
            (name, value["stringValue"])
            for name, value in record.get("messageAttributes", {}).items()
            if value.get("stringValue")
        ),
    )
