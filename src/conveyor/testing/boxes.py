"""What a simulated queue service holds: its queues, their messages, and who waits for some."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from conveyor.core.queue import QueueSpec, Received
from conveyor.testing.loop import START_MS, Owner


@dataclass(slots=True)
class Message:
    """A message that the service has. Times are the loop's seconds."""

    sequence: int
    message_id: str
    body: str
    attributes: tuple[tuple[str, str], ...]
    group: str
    sent_at: float
    visible_at: float
    delayed: bool
    receive_count: int = 0


@dataclass(slots=True)
class Poll:
    """A long poll under way."""

    owner: Owner
    limit: int
    answer: asyncio.Future[list[Message]]


@dataclass(slots=True)
class Box:
    """One queue of the service."""

    spec: QueueSpec
    messages: dict[int, Message] = field(default_factory=dict)
    polls: deque[Poll] = field(default_factory=deque)
    remembered: dict[tuple[str, str], float] = field(default_factory=dict)
    alarm: asyncio.TimerHandle | None = None


def received(message: Message, seconds: float, now_ms: int) -> Received:
    """Show a message as its receiver sees it, by its own clock: leased for so many seconds."""
    return Received(
        message.body,
        f"{message.sequence}.{message.receive_count}",
        message.message_id,
        message.receive_count,
        START_MS + round(message.sent_at * 1000),
        now_ms + round(seconds * 1000),
        message.group,
        message.attributes,
    )
