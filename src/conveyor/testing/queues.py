"""A queue service for the simulator: SQS's semantics in memory, an actor outside all processes.

A long poll is answered by the service when a message comes, whether or not its process is awake
to hear it; the lease counts from then. The messages of FIFO queues come in order, group by group.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence

from conveyor.core.queue import (
    DEAD_LETTER_SUFFIX,
    DEDUPLICATION_SECONDS,
    Depth,
    Outgoing,
    QueueSpec,
    VisibilityChange,
)
from conveyor.testing.boxes import Box, Message, Poll
from conveyor.testing.loop import OUTSIDE, Owner, ProcessLoop

RECEIVE_LIMIT = 10
MESSAGE_ID_BITS = 128


class QueueService:
    """All queues. Every method is one request, and takes no time; faults are the callers'."""

    def __init__(self, loop: ProcessLoop, specs: Sequence[QueueSpec], rng: random.Random) -> None:
        self._loop = loop
        self._rng = rng
        self._sequence = 0
        self.boxes: dict[str, Box] = {}
        for spec in specs:
            self.boxes[spec.name] = Box(spec)
            self.boxes[spec.name + DEAD_LETTER_SUFFIX] = Box(spec.dead_letters())
        self.deliver: Callable[[Box, Message], bool] = lambda _box, _message: True
        """Asked for each message that is sent; False: somebody else sees to it."""

    def send(self, name: str, messages: Sequence[Outgoing]) -> None:
        """Take messages."""
        box = self.boxes[name]
        now = self._loop.elapsed
        for message in messages:
            if box.spec.fifo:
                once = (message.group, message.deduplication_id)
                if box.remembered.get(once, -1.0) > now:
                    continue
                box.remembered[once] = now + DEDUPLICATION_SECONDS
            taken = self.message(box, message, now + message.delay_seconds)
            if self.deliver(box, taken):
                self.put(box, taken)

    def message(self, box: Box, message: Outgoing, visible_at: float) -> Message:
        """Make a message of what is sent."""
        self._sequence += 1
        return Message(
            self._sequence,
            f"{self._rng.getrandbits(MESSAGE_ID_BITS):032x}",
            message.body,
            message.attributes,
            message.group if box.spec.fifo else "",
            self._loop.elapsed,
            visible_at,
            visible_at > self._loop.elapsed,
        )

    def put(self, box: Box, message: Message) -> None:
        """Let a message be there."""
        box.messages[message.sequence] = message
        self._serve(box)

    def copy(self, box: Box, message: Message, delay: float) -> None:
        """Let the service deliver a message once more, after a delay."""
        self._sequence += 1
        at = self._loop.elapsed + delay
        group = f"{message.group} again {self._sequence}" if box.spec.fifo else ""
        twin = Message(
            self._sequence, message.message_id, message.body, message.attributes, group,
            message.sent_at, at, delayed=True,
        )  # fmt: skip
        box.messages[twin.sequence] = twin
        self._serve(box)

    async def receive(
        self, name: str, owner: Owner, limit: int, wait_seconds: float
    ) -> list[Message]:
        """Lease messages to a process, or let it wait for them."""
        box = self.boxes[name]
        found = self._lease(box, limit)
        if found or not wait_seconds:
            return found
        answer: asyncio.Future[list[Message]] = self._loop.create_future()
        box.polls.append(Poll(owner, limit, answer))
        timer = self._loop.call_later(wait_seconds, _end, answer, context=OUTSIDE)
        self._serve(box)
        try:
            return await answer
        finally:
            timer.cancel()

    def wake(self, name: str, owner: Owner) -> None:
        """End a process's long polls, with nothing."""
        for poll in self.boxes[name].polls:
            if poll.owner is owner:
                _end(poll.answer)

    def hang_up(self, owner: Owner) -> None:
        """A process has died: nothing is given to it any more."""
        for box in self.boxes.values():
            box.polls = deque(poll for poll in box.polls if poll.owner is not owner)

    def delete(self, name: str, receipts: Sequence[str]) -> list[str]:
        """Delete; on FIFO queues an ended lease gives the receipt back."""
        box, left = self.boxes[name], []
        for receipt in receipts:
            message = self._of(box, receipt)
            if message is None:
                continue
            if box.spec.fifo and message.visible_at <= self._loop.elapsed:
                left.append(receipt)
            else:
                del box.messages[message.sequence]
        if box.spec.fifo:
            self._serve(box)
        return left

    def set_visibility(self, name: str, changes: Sequence[VisibilityChange]) -> list[str]:
        """Change leases; gives the receipts of those that had ended."""
        box, lost, now = self.boxes[name], [], self._loop.elapsed
        for change in changes:
            message = self._of(box, change.receipt)
            if message is None or message.visible_at <= now:
                lost.append(change.receipt)
            else:
                message.visible_at = now + change.seconds
        self._serve(box)
        return lost

    def depth(self, name: str) -> Depth:
        """Count."""
        now, messages = self._loop.elapsed, self.boxes[name].messages.values()
        visible = sum(m.visible_at <= now for m in messages)
        delayed = sum(m.visible_at > now and m.delayed for m in messages)
        return Depth(visible, len(messages) - visible - delayed, delayed)

    def purge(self, name: str) -> None:
        """Delete every message."""
        self.boxes[name].messages.clear()

    def _of(self, box: Box, receipt: str) -> Message | None:
        sequence, _, count = receipt.partition(".")
        message = box.messages.get(int(sequence))
        return message if message and message.receive_count == int(count) else None

    def _serve(self, box: Box) -> None:
        while box.polls:
            poll = box.polls[0]
            if poll.answer.done():
                box.polls.popleft()
                continue
            found = self._lease(box, poll.limit)
            if not found:
                break
            box.polls.popleft()
            poll.answer.set_result(found)
        if box.alarm:
            box.alarm.cancel()
            box.alarm = None
        if box.polls and box.messages:
            now = self._loop.elapsed
            at = min((m.visible_at for m in box.messages.values() if m.visible_at > now), default=0)
            if at:
                box.alarm = self._loop.call_at(at, self._serve, box, context=OUTSIDE)

    def _lease(self, box: Box, limit: int) -> list[Message]:
        if not box.messages:
            return []
        now, until = self._loop.elapsed, self._loop.elapsed + box.spec.visibility_seconds
        found: list[Message] = []
        behind: set[str] = set()
        for message in list(box.messages.values()):
            if message.visible_at > now:
                behind.add(message.group)
                continue
            if message.group and message.group in behind:
                continue
            if len(found) == limit:
                break
            message.receive_count += 1
            message.visible_at, message.delayed = until, False
            if box.spec.max_receives and message.receive_count > box.spec.max_receives:
                self._redrive(box, message)
            else:
                found.append(message)
        return found

    def _redrive(self, box: Box, message: Message) -> None:
        del box.messages[message.sequence]
        times = box.spec.max_receives
        cause = f"received {times} times from {box.spec.name} and never deleted"
        message.visible_at = self._loop.elapsed
        message.receive_count = 0
        message.attributes = (*message.attributes, ("cause", cause))
        self.put(self.boxes[box.spec.name + DEAD_LETTER_SUFFIX], message)


def _end(answer: asyncio.Future[list[Message]]) -> None:
    if not answer.done():
        answer.set_result([])
