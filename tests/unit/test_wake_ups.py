"""Long polls on SQS are ended by messages of our own, as often as that is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from conveyor.adapters.sqs.wake_up import ASIDE_SECONDS, LongPolls
from conveyor.core.queue import Outgoing
from conveyor.testing.loop import run_virtual, virtual_ambient

TURNS = 3


@pytest.mark.parametrize("polls", [1, 4])
def test_polls_that_begin_anew_can_be_ended_anew(polls: int) -> None:
    async def main() -> None:
        waiting: list[asyncio.Event] = []
        sent = 0

        async def send(messages: Sequence[Outgoing]) -> Sequence[int]:
            nonlocal sent
            sent += len(messages)
            if waiting:
                waiting.pop().set()
            return []

        long_polls = LongPolls(virtual_ambient(), send)

        async def poll() -> None:
            with long_polls:
                waiting.append(woken := asyncio.Event())
                await woken.wait()

        for _ in range(TURNS):
            under_way = [asyncio.create_task(poll()) for _ in range(polls)]
            await asyncio.sleep(0)
            long_polls.end()
            long_polls.end()
            await asyncio.gather(*under_way)
            await long_polls.ended()
        assert sent == TURNS * polls

    run_virtual(main())


def test_whoever_ends_its_polls_does_not_stand_aside_for_its_own_wake_up() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        async def send(_messages: Sequence[Outgoing]) -> Sequence[int]:
            woken.set()
            return []

        long_polls = LongPolls(virtual_ambient(), send)

        async def poll() -> float:
            with long_polls:
                await woken.wait()
            began = loop.time()
            await asyncio.sleep(0.01)  # to delete the wake-up
            await long_polls.stand_aside()
            return loop.time() - began

        ended = asyncio.create_task(poll())
        await asyncio.sleep(0)
        long_polls.end()
        assert await ended < ASIDE_SECONDS
        woken.set()
        assert await poll() >= ASIDE_SECONDS  # this one is somebody else's

    run_virtual(main())
