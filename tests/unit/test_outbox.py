"""The outbox forgets what it sent, and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.unit.core_driver import Core

from conveyor.core.message import decode
from conveyor.core.outbox import RELAY_GRACE_MS, SWEEP_ROWS, OwedToken, put
from conveyor.core.queue import Outgoing
from conveyor.testing.loop import run_virtual


def test_what_was_sent_is_forgotten(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            owed = await core.place("a", "b")
            await core.engine.relay.send(owed)
            assert await core.owing() == {}
            sent = [decode(message.body) for message in core.queues.queue("ask").sent]
            assert [token.order_id for token in sent] == [row.order_id for row in owed]

    run_virtual(main())


def test_a_late_send_does_not_forget_the_token_of_a_later_version(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await core.place("a")
            later = owed._replace(version=owed.version + 1, queue="desk", step="desk.close")
            await core.database.run(lambda tx: put(tx, later))
            await core.engine.relay.send([owed])
            assert await core.owing() == {owed.order_id: later.version}

    run_virtual(main())


def test_what_the_queue_refuses_is_owed_and_what_it_took_is_not(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            owed = await core.place(*"abcde")
            refused = owed[1], owed[3]
            core.queues.queue("ask").refuses = lambda message: _is_one_of(message, refused)
            await core.engine.relay.send(owed)
            assert set(await core.owing()) == {row.order_id for row in refused}
            core.queues.queue("ask").refuses = lambda _message: False
            await asyncio.sleep(RELAY_GRACE_MS / 1000)
            assert {row.order_id for row in await core.engine.relay.sweep_once()} == {
                row.order_id for row in refused
            }
            assert await core.owing() == {}
            assert len(core.queues.queue("ask").sent) == len(owed)

    run_virtual(main())


def test_a_queue_that_does_not_answer_keeps_none_of_the_others_waiting(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            owed = await core.place("a", "b")
            desk = owed[1]._replace(queue="desk", step="desk.close")

            def down(_message: Outgoing) -> bool:
                raise ConnectionError("no answer")

            core.queues.queue("ask").refuses = down
            await core.engine.relay.send([owed[0], desk])
            assert set(await core.owing()) == {owed[0].order_id}
            assert len(core.queues.queue("desk").sent) == 1

    run_virtual(main())


@pytest.mark.parametrize(("early_ms", "found"), [(1, 0), (0, 1)])
def test_the_sweeper_finds_a_token_once_its_grace_is_over(
    tmp_path: Path, early_ms: int, found: int
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            await core.place("a")
            await asyncio.sleep((RELAY_GRACE_MS - early_ms) / 1000)
            assert len(await core.engine.relay.sweep_once()) == found

    run_virtual(main())


def test_a_row_that_one_sweeper_has_taken_no_other_takes(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            await core.place("a")
            core.queues.queue("ask").refuses = lambda _message: True
            await asyncio.sleep(RELAY_GRACE_MS / 1000)
            assert len(await core.engine.relay.sweep_once()) == 1
            await asyncio.sleep((RELAY_GRACE_MS - 1) / 1000)
            assert await core.engine.relay.sweep_once() == []
            await asyncio.sleep(1 / 1000)
            assert len(await core.engine.relay.sweep_once()) == 1

    run_virtual(main())


def test_a_timer_is_not_sent_before_it_is_due(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await core.place("a")
            timer = owed._replace(due_at=core.now_ms + 60_000, now=False)
            await core.engine.relay.commit(lambda tx: put(tx, timer))
            await asyncio.sleep(59.999)
            assert await core.engine.relay.sweep_once() == []
            assert core.queues.queue("ask").sent == []
            await asyncio.sleep(0.001)
            assert len(await core.engine.relay.sweep_once()) == 1

    run_virtual(main())


def test_a_sweep_goes_on_page_after_page_without_a_rest(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            many = 2 * SWEEP_ROWS + 1
            await core.place(*(["a"] * many))
            core.queues.queue("ask").swallows = True
            await asyncio.sleep(RELAY_GRACE_MS / 1000)
            stop = asyncio.Event()
            sweeping = asyncio.create_task(core.engine.relay.sweep(stop))
            await asyncio.sleep(0.5)
            assert await core.owing() == {}
            stop.set()
            await sweeping

    run_virtual(main())


def _is_one_of(message: Outgoing, rows: tuple[OwedToken, ...]) -> bool:
    return decode(message.body).order_id in {row.order_id for row in rows}
