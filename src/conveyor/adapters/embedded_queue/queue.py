"""One embedded queue. What SQS promises is in the port; here stands how this one keeps it.

A receipt holds as long as nobody else receives the message. With an older one nothing happens to
the message: a standard queue accepts the delete silently, as SQS does; a FIFO queue gives the
receipt back as not deleted, also when its lease has ended and nobody else has received it yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from conveyor.adapters.embedded_queue.bell import Bell
from conveyor.adapters.embedded_queue.faults import QueueFaults
from conveyor.adapters.embedded_queue.store import Lease, Leased, MessageStore, Move, NewMessage
from conveyor.core.ambient import Ambient
from conveyor.core.queue import (
    DEDUPLICATION_SECONDS,
    MAX_VISIBILITY_SECONDS,
    Depth,
    Outgoing,
    QueueSpec,
    Received,
    VisibilityChange,
)
from conveyor.core.queue_limits import refused

RECEIVE_LIMIT = 256  # messages one receive gives; SQS gives 10
MESSAGE_ID_BITS = 128
NEVER_MS = 2**63 - 1
"""What is the only copy of an order does not expire here; on SQS it must, after 14 days."""
MS = 1000


@dataclass
class Requests:
    """Calls made to the queues of one file."""

    count: int = 0


class EmbeddedQueue:
    """A queue in the file; see `conveyor.core.queue.Queue` for what the methods give."""

    receive_limit = RECEIVE_LIMIT

    def __init__(
        self,
        spec: QueueSpec,
        store: MessageStore,
        ambient: Ambient,
        requests: Requests,
        *,
        dead_letters: EmbeddedQueue | None = None,
        faults: QueueFaults | None = None,
    ) -> None:
        """`dead_letters` is where the redrive policy moves messages; None: they stay here.

        `faults` are those that befall what is sent here, where they are on.
        """
        self.spec = spec
        self._store = store
        self._ambient = ambient
        self._requests = requests
        self._dead_letters = dead_letters
        self._faults = faults
        self._bell = Bell()

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Send all in one transaction; what SQS would never take is logged and given back."""
        self._requests.count += 1
        now = self._ambient.now_ms()
        never = refused(self.spec, messages)
        taken = [m for i, m in enumerate(messages) if i not in never] if never else messages
        sent = [(self._row(message, now), message.deduplication_id) for message in taken]
        if self._faults is not None and self._faults.any:
            sent = self._faults.strike(sent)
        if self.spec.fifo:
            self._store.add_once(
                sent,
                now=now,
                remember_ms=DEDUPLICATION_SECONDS * MS,
                durable=self.spec.durable,
            )
        else:
            self._store.add([row for row, _ in sent], durable=self.spec.durable)
        self._bell.ring()
        return never

    async def receive(self, limit: int, wait_seconds: float) -> list[Received]:
        """Lease what is visible; else sleep until something is, `wait_seconds` end or `wake()`."""
        self._requests.count += 1
        now = self._ambient.now_ms()
        give_up_at = now + int(wait_seconds * MS)
        while True:
            messages = self._lease(min(limit, RECEIVE_LIMIT), now)
            if messages or now >= give_up_at:
                return messages
            if not await self._bell.wait(self._pause_seconds(now, give_up_at)):
                return []
            now = self._ambient.now_ms()

    async def delete(self, receipts: Sequence[str]) -> list[str]:
        """Delete all in one transaction."""
        self._requests.count += 1
        leases = {receipt: _lease(receipt) for receipt in receipts}
        held = [lease for lease in leases.values() if lease]
        left: list[Lease] = []
        if self.spec.fifo:
            left = self._store.delete_in_flight(self.spec.name, held, self._ambient.now_ms())
            self._bell.ring()  # the next messages of these groups
        else:
            self._store.delete(self.spec.name, held)
        return [receipt for receipt, lease in leases.items() if lease is None or lease in left]

    async def set_visibility(self, changes: Sequence[VisibilityChange]) -> list[str]:
        """Change all in one transaction."""
        self._requests.count += 1
        now = self._ambient.now_ms()
        leases = {change.receipt: _lease(change.receipt) for change in changes}
        wanted = [
            (lease, now + change.seconds * MS)
            for change in changes
            if (lease := leases[change.receipt]) and 0 <= change.seconds <= MAX_VISIBILITY_SECONDS
        ]
        lost = self._store.set_visibility(self.spec.name, wanted, now)
        self._bell.ring()
        changed = {lease for lease, _ in wanted}.difference(lost)
        return [receipt for receipt, lease in leases.items() if lease not in changed]

    async def depth(self) -> Depth:
        """Count the messages, exactly."""
        self._requests.count += 1
        return self._store.depth(self.spec.name, self._ambient.now_ms())

    async def purge(self) -> None:
        """Delete every message."""
        self._requests.count += 1
        self._store.purge(self.spec.name)

    def wake(self) -> None:
        """End the long polls that are under way, with nothing."""
        self._bell.dismiss()

    def take_over(self, rows: Sequence[Leased], cause: tuple[str, str], now: int) -> None:
        """Become the queue of messages that were just received from another one too often.

        Retention counts from the first send on standard queues, from here on FIFO queues:
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html
        """
        moves = [
            Move(
                row.sequence,
                self.spec.name,
                _encode((*_decode(row.attributes), cause)),
                self._expires(now if self.spec.fifo else row.sent_at_ms),
            )
            for row in rows
        ]
        self._store.move(moves, now)
        self._bell.ring()

    def keep_all(self) -> None:
        """Let nothing expire that an earlier version would have; for queues that are `durable`."""
        self._store.expire_at(self.spec.name, NEVER_MS)

    def _expires(self, since_ms: int) -> int:
        return NEVER_MS if self.spec.durable else since_ms + self.spec.retention_seconds * MS

    def _row(self, message: Outgoing, now: int) -> NewMessage:
        return NewMessage(
            self.spec.name,
            f"{self._ambient.random.getrandbits(MESSAGE_ID_BITS):032x}",
            message.body,
            _encode(message.attributes),
            message.group if self.spec.fifo else "",
            now,
            self._expires(now),
            now + message.delay_seconds * MS,
        )

    def _lease(self, limit: int, now: int) -> list[Received]:
        until = now + self.spec.visibility_seconds * MS
        while rows := self._store.lease(
            self.spec.name, in_order=self.spec.fifo, now=now, until=until, limit=limit
        ):
            alive = self._redrive(rows, now)
            if alive:
                return [_received(row, until) for row in alive]
        return []

    def _redrive(self, rows: list[Leased], now: int) -> list[Leased]:
        """Move what was received too often to the dead-letter queue; gives the others."""
        most, there = self.spec.max_receives, self._dead_letters
        if there is None or not most or all(row.receive_count <= most for row in rows):
            return rows
        dead = [row for row in rows if row.receive_count > most]
        cause = ("cause", f"received {most} times from {self.spec.name} and never deleted")
        there.take_over(dead, cause, now)
        return [row for row in rows if row.receive_count <= most]

    def _pause_seconds(self, now: int, give_up_at: int) -> float:
        next_visible = self._store.next_visible(self.spec.name, now)
        until = give_up_at if next_visible is None else min(give_up_at, next_visible)
        return (until - now) / MS


def _received(row: Leased, visible_at_ms: int) -> Received:
    return Received(
        row.body,
        f"{row.sequence}.{row.receive_count}",
        row.message_id,
        row.receive_count,
        row.sent_at_ms,
        visible_at_ms,
        row.group,
        _decode(row.attributes),
    )


def _lease(receipt: str) -> Lease | None:
    sequence, _, receive_count = receipt.partition(".")
    if sequence.isdecimal() and receive_count.isdecimal():
        return Lease(int(sequence), int(receive_count))
    return None


def _encode(attributes: Sequence[tuple[str, str]]) -> str:
    """As JSON; of two with the same name the last one counts, as on SQS."""
    return orjson.dumps(dict(attributes)).decode() if attributes else ""


def _decode(attributes: str) -> tuple[tuple[str, str], ...]:
    return tuple(orjson.loads(attributes).items()) if attributes else ()
