"""What a wrong clock, or a flow that is not installed, must not hide from those who look."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.unit.core_driver import Core

from conveyor.core.outbox import OwedToken
from conveyor.core.reconciler import (
    OVERDUE_MS,
    PAGE_ROWS,
    RECALL_ROUNDS,
    RECONCILE_SECONDS,
    Reconciler,
)
from conveyor.core.tables import orders, outbox
from conveyor.testing.loop import LoopClock, run_virtual

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SOON_SECONDS = (RECALL_ROUNDS + 1) * RECONCILE_SECONDS


class Steps:
    """By how much the wall clock is wrong."""

    ms = 0


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    right, steps = LoopClock.now_ms, Steps()
    monkeypatch.setattr(LoopClock, "now_ms", lambda self: right(self) + steps.ms)
    return steps


async def lose(core: Core, *references: str) -> list[OwedToken]:
    """Place orders whose first tokens a queue takes and loses."""
    queue = core.queues.queue("ask")
    queue.swallows = True
    owed = await core.place(*references)
    await core.engine.relay.send(owed)
    queue.swallows = False
    queue.sent.clear()
    return owed


async def change(core: Core, owed: Iterable[OwedToken], table: sa.Table, **values: object) -> None:
    key = table.c.id if table is orders else table.c.order_id
    statement = sa.update(table).where(key.in_([row.order_id for row in owed])).values(values)
    await core.database.run(lambda tx: tx.execute(statement))


async def due_at(core: Core, owed: OwedToken) -> int:
    query = sa.select(outbox.c.due_at).where(outbox.c.order_id == owed.order_id)
    return int(await core.database.read(lambda tx: tx.execute(query).scalar_one()))


async def reconcile_for(core: Core, seconds: float) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(Reconciler(core.engine).run(stop))
    await asyncio.sleep(seconds)
    stop.set()
    await running


def test_orders_of_a_flow_that_is_not_installed_hide_no_others(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            ghosts = await lose(core, *(["ghost"] * (PAGE_ROWS + 1)))
            await change(core, ghosts, orders, flow="gone@1", expected_at=1)
            await lose(core, "a")
            await asyncio.sleep(OVERDUE_MS / 1000 + 1)
            assert await Reconciler(core.engine).reconcile_once() == 1

    run_virtual(main())


def test_a_busy_queue_does_not_hide_what_waits_behind_a_page_of_it(tmp_path: Path) -> None:
    """The queue holds all but one of two pages of tokens; the youngest one is lost."""

    async def main() -> None:
        async with Core(tmp_path) as core:
            await core.engine.relay.send(await core.place(*(["a"] * PAGE_ROWS)))
            await asyncio.sleep(OVERDUE_MS / 1000)
            [lost] = await lose(core, "b")
            for _ in range(40):
                await asyncio.sleep(RECONCILE_SECONDS)
                await core.queues.queue("ask").receive(1, 0)  # somebody reads it, slowly
                await Reconciler(core.engine).reconcile_once()
            assert "resent" in await core.events(lost)

    run_virtual(main())


def test_orders_do_not_stand_while_the_clock_makes_good_an_hour(
    tmp_path: Path, steps: Steps
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await lose(core, "a")
            steps.ms = -HOUR_MS
            await reconcile_for(core, SOON_SECONDS)
            assert "resent" in await core.events(owed)

    run_virtual(main())


def test_what_was_owed_at_a_wrong_moment_ahead_is_not_owed_for_a_day(
    tmp_path: Path, steps: Steps
) -> None:
    """Its process died between the commit and the send: the sweeper is to find it."""

    async def main() -> None:
        async with Core(tmp_path) as core:
            steps.ms = DAY_MS
            [owed] = await core.place("a")
            steps.ms = 0
            await reconcile_for(core, SOON_SECONDS)
            assert await due_at(core, owed) <= core.now_ms
            [order] = await core.orders([owed])
            assert order.updated_at <= core.now_ms
            assert order.expected_at <= core.now_ms

    run_virtual(main())


def test_a_timer_that_was_set_at_a_wrong_moment_keeps_its_length(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [wrong, right] = await core.place("a", "b")
            ahead = core.now_ms + DAY_MS
            await change(core, [wrong], orders, updated_at=ahead, expected_at=ahead + HOUR_MS)
            await change(core, [wrong], outbox, due_at=ahead + HOUR_MS)
            long = core.now_ms + 30 * DAY_MS
            await change(core, [right], orders, expected_at=long)
            await change(core, [right], outbox, due_at=long)
            begun = core.now_ms
            await reconcile_for(core, 5)
            assert begun + HOUR_MS <= await due_at(core, wrong) <= begun + HOUR_MS + 5_000
            assert await due_at(core, right) == long
            await reconcile_for(core, SOON_SECONDS)
            assert await due_at(core, wrong) <= begun + HOUR_MS + 5_000

    run_virtual(main())


def test_what_a_wrong_clock_claimed_or_held_comes_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [claimed, held] = await core.place("a", "b")
            await change(core, [claimed, held], outbox, due_at=core.now_ms + DAY_MS)
            await change(core, [held], orders, expected_at=core.now_ms + DAY_MS)
            await change(core, [held], outbox, held=True)
            await reconcile_for(core, 5)
            assert await due_at(core, claimed) <= core.now_ms
            assert await due_at(core, held) <= core.now_ms

    run_virtual(main())
