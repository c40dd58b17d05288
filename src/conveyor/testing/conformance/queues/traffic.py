"""What the conformance tests of queues do again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from conveyor.core.queue import Depth, Outgoing, Queue, Received

EACH_KIND = pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
PATIENCE_SECONDS = 15.0


def outgoing(body: str, group: str = "g", attributes: dict[str, str] | None = None) -> Outgoing:
    """A message for either kind of queue, told apart by its body."""
    pairs = tuple((attributes or {}).items())
    return Outgoing(body, group=group, deduplication_id=body[:40], attributes=pairs)


async def receive(queue: Queue, count: int) -> list[Received]:
    """Receive until there are `count` messages."""
    got: list[Received] = []
    give_up = time.monotonic() + PATIENCE_SECONDS
    while len(got) < count and time.monotonic() < give_up:
        got += await queue.receive(count - len(got), 2)
    assert len(got) == count
    return got


async def receive_one(queue: Queue) -> Received:
    """Receive until there is one."""
    return (await receive(queue, 1))[0]


async def until_depth(queue: Queue, depth: Depth) -> None:
    """Wait for the depth, which SQS only promises in the end."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while await queue.depth() != depth:
        assert time.monotonic() < give_up, await queue.depth()
        await asyncio.sleep(0.05)


def bodies(messages: Sequence[Received]) -> list[str]:
    """Give what they say."""
    return [message.body for message in messages]
