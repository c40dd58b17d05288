"""The queue port, in SQS's own words; adapters are Amazon SQS and the embedded queue.

Facts: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

MAX_DELAY_SECONDS = 900
MAX_VISIBILITY_SECONDS = 43_200
LONG_POLL_SECONDS = 20
DEDUPLICATION_SECONDS = 300
MAX_MESSAGE_BYTES = 1_048_576
DEAD_LETTER_SUFFIX = "-dead"
DEAD_LETTER_RETENTION_SECONDS = 14 * 86_400


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """What a queue is to be: `name` is the service's, without prefix or `.fifo` ending.

    `max_receives` is the redrive policy's: after so many receives without a delete the queue
    itself moves the message to `<name>-dead`. The consumer parks earlier; this is the backstop.
    With 0 messages are never moved: so it is in the dead-letter queue itself.
    `durable` is for a queue whose messages are the only copy of what they say (`intake`): a send
    is answered once the disk has it. Elsewhere the order row is the truth, and a power cut may
    take the last messages of the embedded queue with it; and there what is durable never expires.
    SQS is always durable, and keeps nothing longer than `retention_seconds`.
    """

    name: str
    fifo: bool = False
    visibility_seconds: int = 30
    max_receives: int = 10
    retention_seconds: int = 4 * 86_400
    durable: bool = False

    def dead_letters(self) -> QueueSpec:
        """Describe this queue's dead-letter queue."""
        return replace(
            self,
            name=self.name + DEAD_LETTER_SUFFIX,
            max_receives=0,
            retention_seconds=DEAD_LETTER_RETENTION_SECONDS,
        )


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send. `group` and `deduplication_id` are used by FIFO queues only."""

    body: str
    delay_seconds: int = 0
    group: str = ""
    deduplication_id: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """A message leased to us until its visibility timeout ends, `visible_at_ms` by our clock."""

    body: str
    receipt: str
    message_id: str
    receive_count: int
    sent_at_ms: int
    visible_at_ms: int
    group: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VisibilityChange:
    """Make the message of this receipt visible again in `seconds` (0: at once)."""

    receipt: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages are in a queue (approximate on SQS)."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """All messages, wherever they are."""
        return self.visible + self.in_flight + self.delayed


class Queue(Protocol):
    """One queue. Any number of messages may be given to a call: the adapter cuts them to size."""

    spec: QueueSpec
    receive_limit: int
    """The most messages one receive gives (10 on SQS)."""

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Send; gives the indexes of the messages that were not accepted. Raises on no answer."""
        ...

    async def receive(self, limit: int, wait_seconds: float) -> list[Received]:
        """Give up to `limit` messages, waiting up to `wait_seconds` for the first one."""
        ...

    async def delete(self, receipts: Sequence[str]) -> list[str]:
        """Delete; gives the receipts that were not deleted. Deleting twice is harmless."""
        ...

    async def set_visibility(self, changes: Sequence[VisibilityChange]) -> list[str]:
        """Change leases; gives the receipts that were not changed (expired or deleted)."""
        ...

    async def depth(self) -> Depth:
        """Count the messages."""
        ...

    async def purge(self) -> None:
        """Delete every message."""
        ...

    def wake(self) -> None:
        """Let the long polls of this process that are under way return soon."""
        ...


class Queues(Protocol):
    """All queues of one deployment."""

    @property
    def requests(self) -> int:
        """Calls made to the queue service so far, by this process."""
        ...

    def queue(self, name: str) -> Queue:
        """Give the queue of a service, or its dead-letter queue (`name + DEAD_LETTER_SUFFIX`)."""
        ...

    async def provision(self, specs: Sequence[QueueSpec]) -> list[str]:
        """Create what is missing, each with its dead-letter queue; gives the names created."""
        ...

    async def open(self) -> None:
        """Connect."""
        ...

    async def close(self) -> None:
        """Let go of connections and files."""
        ...
