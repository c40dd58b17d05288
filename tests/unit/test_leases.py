"""Leases are kept while a message is in our hands, no longer, and never past what SQS allows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.unit.core_driver import LEASE_SECONDS, Core, a_message

from conveyor.core.lease import CAP_MS, MessageLeases
from conveyor.core.queue import MAX_VISIBILITY_SECONDS, VisibilityChange
from conveyor.core.time_limits import NEAR_EXPIRY
from conveyor.testing.loop import run_virtual

NEAR_MS = round(LEASE_SECONDS * 1000 * NEAR_EXPIRY)


@pytest.mark.parametrize(("left_ms", "extended"), [(NEAR_MS, False), (NEAR_MS - 1, True)])
def test_a_lease_is_extended_when_it_is_near_its_end(
    tmp_path: Path, left_ms: int, *, extended: bool
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            queue = core.queues.queue("ask")
            leases = MessageLeases(queue, core.ambient)
            leases.take([a_message("r", "{}", core.now_ms + left_ms)])
            await leases.extend_once()
            assert queue.changes == ([VisibilityChange("r", LEASE_SECONDS)] if extended else [])

    run_virtual(main())


def test_what_was_let_go_is_not_extended(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            queue = core.queues.queue("ask")
            leases = MessageLeases(queue, core.ambient)
            leases.take([a_message(name, "{}", core.now_ms + 1) for name in ("kept", "gone")])
            leases.drop(["gone"])
            await leases.extend_once()
            assert [change.receipt for change in queue.changes] == ["kept"]

    run_virtual(main())


def test_a_message_that_takes_long_is_ours_all_the_while(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            queue = core.queues.queue("ask")
            leases = MessageLeases(queue, core.ambient)
            await core.engine.relay.send(await core.place("a"))
            leases.take(await queue.receive(1, 0))
            stop = asyncio.Event()
            keeping = asyncio.create_task(leases.keep(stop))
            for _ in range(10 * LEASE_SECONDS):
                await asyncio.sleep(1)
                assert await queue.receive(1, 0) == []
            # Not more often than it takes: each extension is a request.
            assert len(queue.changes) <= 10 / (1 - NEAR_EXPIRY) + 1
            stop.set()
            await keeping

    run_virtual(main())


@pytest.mark.parametrize(("held_ms", "extended"), [(CAP_MS - 1, True), (CAP_MS, False)])
def test_nothing_is_extended_past_what_sqs_allows(
    tmp_path: Path, held_ms: int, *, extended: bool
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            queue = core.queues.queue("ask")
            leases = MessageLeases(queue, core.ambient)
            leases.take([a_message("r", "{}", core.now_ms + LEASE_SECONDS * 1000)])
            await asyncio.sleep(held_ms / 1000)
            await leases.extend_once()
            assert bool(queue.changes) is extended

    run_virtual(main())
    assert CAP_MS / 1000 + LEASE_SECONDS < MAX_VISIBILITY_SECONDS


def test_a_lease_that_could_not_be_extended_is_tried_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            queue = core.queues.queue("ask")
            leases = MessageLeases(queue, core.ambient)
            leases.take([a_message("unknown to the queue", "{}", core.now_ms + 1)])
            await leases.extend_once()
            await leases.extend_once()
            assert len(queue.changes) == 2

    run_virtual(main())


def test_what_is_let_go_while_it_is_extended_does_not_come_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            queue = core.queues.queue("ask")
            leases = MessageLeases(queue, core.ambient)
            await core.engine.relay.send(await core.place("a"))
            messages = await queue.receive(1, 0)
            leases.take(messages)

            async def let_go(_changes: Sequence[VisibilityChange]) -> None:
                leases.drop([message.receipt for message in messages])

            queue.changing = let_go
            await asyncio.sleep(LEASE_SECONDS - 1)
            await leases.extend_once()
            assert len(queue.changes) == 1
            assert len(leases) == 0

    run_virtual(main())
