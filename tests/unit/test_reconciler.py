"""The reconciler sends again what is lost, all of it and soon, and nothing that is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.core_driver import Core
from tests.virtual_time import run_virtual

from conveyor.messaging.consumer import Consumer
from conveyor.messaging.outbox import Owed
from conveyor.messaging.reconciler import LOST_MS, OVERDUE_MS, PAGE_ROWS, Reconciler
from conveyor.messaging.timeline import RESENT


async def lose(core: Core, *references: str) -> list[Owed]:
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
            assert (await core.events(owed)).count(RESENT) == found

    run_virtual(main())


def test_what_was_sent_again_is_given_time_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            await lose(core, "a")
            queue = core.queues.queue("ask")
            queue.swallows = True
            await asyncio.sleep(OVERDUE_MS / 1000 + 1)
            reconciler = Reconciler(core.engine)
            assert await reconciler.reconcile_once() == 1
            await asyncio.sleep(OVERDUE_MS / 1000)
            assert await reconciler.reconcile_once() == 0
            await asyncio.sleep(0.001)
            assert await reconciler.reconcile_once() == 1

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
            core.queues.queue("ask").pretends = 1_000
            reconciler = Reconciler(core.engine)
            await asyncio.sleep(LOST_MS / 1000)
            assert await reconciler.reconcile_once() == 0
            await asyncio.sleep(0.001)
            assert await reconciler.reconcile_once() == 1
            assert core.queues.queue("ask").sent
            assert RESENT in await core.events(owed)

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


def _ids(owed: Sequence[Owed]) -> list[str]:
    return [row.order_id for row in owed]
