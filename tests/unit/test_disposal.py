"""How messages are let go of when their queue does not do what it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.unit.core_driver import Core

from conveyor.core.consumer import Consumer
from conveyor.core.errors import QueueUnavailableError
from conveyor.core.queue import Outgoing
from conveyor.core.queue_limits import MAX_ATTRIBUTES
from conveyor.testing.loop import run_virtual


def test_what_could_not_be_deleted_is_not_held_on_to(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            owed = await core.place("a", "b")
            queue = core.queues.queue("ask")

            def fail(_receipts: Sequence[str]) -> None:
                raise QueueUnavailableError("ask", "it is away")

            queue.deleting = fail
            consumer = await core.take("ask", *owed)
            # Else it would be extended for ever, and count against what may be in flight.
            assert len(consumer.leases) == 0
            queue.deleting = lambda _receipts: None
            await core.handle(consumer, *owed)
            assert core.ask.recorded == ["a", "b"]

    run_virtual(main())


def test_poison_with_as_many_attributes_as_there_can_be_is_buried(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            queue, dead = core.queues.queue("ask"), core.queues.queue("ask-dead")
            attributes = tuple((f"of-theirs-{n}", "x") for n in range(MAX_ATTRIBUTES))
            assert await queue.send([Outgoing("no token", attributes=attributes)]) == []
            await Consumer(core.engine, "ask").handle(await queue.receive(1, 0))
            [buried] = await dead.receive(1, 0)
            assert buried.body == "no token"
            assert dict(buried.attributes)["cause"]
            assert (await queue.depth()).total == 0

    run_virtual(main())
