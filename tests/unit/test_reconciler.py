"""The reconciler sends again what is lost, all of it and soon, and nothing that is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.unit.core_driver import Core

from conveyor.adapters.postgres import PostgresDatabase
from conveyor.core.consumer import Consumer
from conveyor.core.outbox import OwedToken
from conveyor.core.queue import Depth
from conveyor.core.reconciler import (
    LONGEST_MS,
    LOST_MS,
    OVERDUE_MS,
    PAGE_ROWS,
    RECONCILE_SECONDS,
    Reconciler,
)
from conveyor.core.timeline_event import TimelineEvent
from conveyor.testing.loop import run_virtual

BUSY = Depth(visible=990, in_flight=10, delayed=0)
HOURS = 3600.0


async def lose(core: Core, *references: str) -> list[OwedToken]:
    """Place orders whose first tokens a queue takes and loses."""
    queue = core.queues.queue("ask")
    queue.swallows = True
    owed = await core.place(*references)
    await core.engine.relay.send(owed)
    queue.swallows = False
    queue.sent.clear()
    return owed


def resent(core: Core) -> int:
    return sum(count for (what, _), count in core.engine.tally.items() if what == "resent")


@pytest.mark.parametrize(("after_ms", "found"), [(OVERDUE_MS, 0), (OVERDUE_MS + 1, 1)])
def test_a_token_counts_as_lost_once_it_is_overdue(
    tmp_path: Path, after_ms: int, found: int
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await lose(core, "a")
            await asyncio.sleep(after_ms / 1000)
            assert await Reconciler(core.engine).reconcile_once() == found
            assert resent(core) == found == len(core.queues.queue("ask").sent)
            assert (await core.events(owed)).count(TimelineEvent.RESENT) == found

    run_virtual(main())


def test_what_was_sent_again_is_given_time_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            await lose(core, "a")
            queue = core.queues.queue("ask")
            queue.swallows = True
            await asyncio.sleep(OVERDUE_MS / 1000 + 1)
            reconciler = Reconciler(core.engine)
            for times in range(3):  # each time twice as long
                assert await reconciler.reconcile_once() == 1
                await asyncio.sleep((OVERDUE_MS << times + 1) / 1000)
                assert await reconciler.reconcile_once() == 0
                await asyncio.sleep(0.001)

    run_virtual(main())


def test_a_round_goes_on_page_after_page(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            many = 2 * PAGE_ROWS + 1
            await lose(core, *(["a"] * many))
            core.queues.queue("ask").swallows = True  # nobody takes them: the queue stays empty
            await asyncio.sleep(OVERDUE_MS / 1000 + 1)
            stop = asyncio.Event()
            running = asyncio.create_task(Reconciler(core.engine).run(stop))
            await asyncio.sleep(1)
            assert resent(core) == many
            stop.set()
            await running

    run_virtual(main())


def test_what_waits_in_a_long_queue_is_not_sent_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            await core.engine.relay.send(await core.place("a", "b", "c"))
            await asyncio.sleep(OVERDUE_MS / 1000 + 1)
            assert await Reconciler(core.engine).reconcile_once() == 0

    run_virtual(main())


def test_a_queue_that_is_never_empty_hides_no_lost_token_for_ever(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await lose(core, "a")
            core.queues.queue("ask").pretends = BUSY
            reconciler = Reconciler(core.engine)
            await asyncio.sleep(LOST_MS / 1000)
            assert await reconciler.reconcile_once() == 0
            await asyncio.sleep(0.001)
            assert await reconciler.reconcile_once() == 1
            assert core.queues.queue("ask").sent
            assert TimelineEvent.RESENT in await core.events(owed)

    run_virtual(main())


async def reconcile_for(core: Core, seconds: float) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(Reconciler(core.engine).run(stop))
    await asyncio.sleep(seconds)
    stop.set()
    await running


@pytest.mark.parametrize(("hours", "each"), [(4, 2), (12, 5)])
def test_in_a_queue_that_nobody_reads_tokens_do_not_heap_up(
    tmp_path: Path, hours: int, each: int
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            await core.engine.relay.send(await core.place(*"abcdefgh"))
            await reconcile_for(core, hours * HOURS)
            assert 0 < len(core.queues.queue("ask").sent) <= 8 * each

    run_virtual(main())


@pytest.mark.parametrize("on_postgres", [False, True], ids=["sqlite", "postgresql"])
def test_in_a_queue_that_is_read_slowly_tokens_do_not_heap_up(
    tmp_path: Path, request: pytest.FixtureRequest, *, on_postgres: bool
) -> None:
    database = None
    if on_postgres:
        url = request.getfixturevalue("postgres").fresh_database()
        database = PostgresDatabase(url, connections=1, inline=True)

    async def main() -> None:
        async with Core(tmp_path, database=database) as core:
            owed = await lose(core, "a", "b")
            core.queues.queue("ask").pretends = BUSY
            await reconcile_for(core, 4 * HOURS)
            for one in owed:
                assert (await core.events(one)).count(TimelineEvent.RESENT) == 5

    run_virtual(main())


def test_a_token_that_is_lost_among_waiting_ones_is_sent_again_soon(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            queue = core.queues.queue("ask")
            await core.engine.relay.send(await core.place(*"abcdefgh"))
            await reconcile_for(core, 3 * HOURS)
            await queue.purge()
            queue.sent.clear()
            await reconcile_for(core, RECONCILE_SECONDS)
            assert len(queue.sent) == 8
            # Where somebody reads it by now, what the others hid comes in its time.
            [lost] = await lose(core, "i")
            queue.pretends = BUSY
            await reconcile_for(core, LOST_MS / 1000 + 2 * RECONCILE_SECONDS)
            assert (await core.events(lost)).count(TimelineEvent.RESENT) == 1

    run_virtual(main())


def test_no_token_waits_longer_than_the_longest_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await lose(core, "a")
            core.queues.queue("ask").pretends = Depth(1, 0, 0)
            reconciler = Reconciler(core.engine)
            await asyncio.sleep(LONGEST_MS / 1000)
            assert await reconciler.reconcile_once() == 0
            await asyncio.sleep(0.001)
            assert await reconciler.reconcile_once() == 1
            assert TimelineEvent.RESENT in await core.events(owed)

    run_virtual(main())


def test_what_the_outbox_still_holds_is_not_lost(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            await core.place("a")
            await asyncio.sleep(LOST_MS / 1000 + 1)
            assert await Reconciler(core.engine).reconcile_once() == 0

    run_virtual(main())


def test_a_lost_token_that_the_queue_refuses_stays_owed(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            owed = await lose(core, "a")
            core.queues.queue("ask").refuses = lambda _message: True
            await asyncio.sleep(OVERDUE_MS / 1000 + 1)
            await Reconciler(core.engine).reconcile_once()
            assert list(await core.owing()) == _ids(owed)

    run_virtual(main())


def test_orders_at_their_end_are_owed_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            owed = await core.place("a")
            await core.take("ask", *owed)
            desk = core.queues.queue("desk")
            assert len(desk.sent) == 1
            [message] = await desk.receive(1, 0)
            await Consumer(core.engine, "desk").handle([message])
            assert [order.status for order in await core.orders(owed)] == ["completed"]
            await asyncio.sleep(LOST_MS / 1000 + 1)
            assert await Reconciler(core.engine).reconcile_once() == 0

    run_virtual(main())


def test_a_deadline_whose_token_is_lost_comes_all_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            owed = await core.place("wait")
            await core.take("ask", *owed)
            desk = core.queues.queue("desk")
            await Consumer(core.engine, "desk").handle(await desk.receive(1, 0))
            [order] = await core.orders(owed)
            assert order.status == "awaiting"
            await asyncio.sleep((order.expected_at - core.now_ms) / 1000)
            desk.swallows = True
            assert len(await core.engine.relay.sweep_once()) == 1
            desk.swallows = False
            await asyncio.sleep(OVERDUE_MS / 1000 + 1)
            assert await Reconciler(core.engine).reconcile_once() == 1
            assert (await desk.depth()).total == 1

    run_virtual(main())


def _ids(owed: Sequence[OwedToken]) -> list[str]:
    return [row.order_id for row in owed]
