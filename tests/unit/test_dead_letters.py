"""What an operator does with poison loses no message, whatever its queue says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.core_driver import Core

from conveyor.core.consumer import Consumer
from conveyor.core.errors import QueueUnavailableError
from conveyor.core.queue import Outgoing
from conveyor.operations.dead_letters import Poison, list_poison, redrive_poison
from conveyor.testing.loop import run_virtual

POISON = "no token at all"


async def bury(core: Core) -> str:
    queue = core.queues.queue("ask")
    await queue.send([Outgoing(POISON)])
    await Consumer(core.engine, "ask").handle(await queue.receive(1, 0))
    [found] = await list_poison(core.engine)
    return found.message_id


def test_what_its_queue_refuses_stays_a_dead_letter(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            queue, dead = core.queues.queue("ask"), core.queues.queue("ask-dead")
            message_id = await bury(core)
            queue.refuses = lambda _message: True
            with pytest.raises(QueueUnavailableError):
                await redrive_poison(core.engine, message_id)
            [kept] = await list_poison(core.engine)
            assert (kept.message_id, kept.body) == (message_id, POISON)
            queue.refuses = lambda _message: False
            assert isinstance(await redrive_poison(core.engine, message_id), Poison)
            assert [(await one.depth()).total for one in (queue, dead)] == [1, 0]

    run_virtual(main())


def test_what_is_not_there_is_not_redriven(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            await bury(core)
            assert await redrive_poison(core.engine, "another") is None
            assert len(await list_poison(core.engine)) == 1

    run_virtual(main())
