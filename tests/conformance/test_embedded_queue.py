"""What the embedded queue does beside what every queue does: time, its file, and crashes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conveyor.adapters.embedded_queue import RECEIVE_LIMIT, EmbeddedQueues
from conveyor.core.errors import (
    DataDirectoryInUseError,
    QueuesNotOpenError,
    QueueUnavailableError,
)
from conveyor.core.queue import (
    DEAD_LETTER_RETENTION_SECONDS,
    DEDUPLICATION_SECONDS,
    Depth,
    Outgoing,
    QueueSpec,
    VisibilityChange,
)
from conveyor.testing.loop import START_MS, jumps, run_virtual, virtual_ambient

DAY_SECONDS = 86_400
SPECS = (
    QueueSpec("payments", visibility_seconds=30, max_receives=2),
    QueueSpec("bookings", fifo=True, visibility_seconds=30, max_receives=2),
    QueueSpec("intake", durable=True),
)


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[EmbeddedQueues]:
    """The queues of a process that lives as long as this block."""
    queues = EmbeddedQueues(directory / "queues.db", SPECS, virtual_ambient())
    await queues.open()
    try:
        yield queues
    finally:
        await queues.close()


def message(body: str) -> Outgoing:
    return Outgoing(body, group="g", deduplication_id=body)


def test_a_long_poll_sleeps_until_a_message_is_sent_and_wakes_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue = queues.queue("payments")
            poll = asyncio.create_task(queue.receive(10, 20))
            await asyncio.sleep(7)
            await queue.send([message("a")])
            assert [it.body for it in await poll] == ["a"]
            await asyncio.sleep(100)
            assert jumps() == [7, 100]  # and nothing is left that would wake anybody later

    run_virtual(main())


@pytest.mark.parametrize("name", ["payments", "bookings"])
def test_a_long_poll_sleeps_until_a_lease_ends(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue = queues.queue(name)
            await queue.send([message("a")])
            (first,) = await queue.receive(10, 0)
            await queue.set_visibility([VisibilityChange(first.receipt, 12)])
            (second,) = await queue.receive(10, 20)
            assert second.message_id == first.message_id
            assert second.visible_at_ms == START_MS + 12_000 + 30_000
            assert jumps() == [12]

    run_virtual(main())


def test_a_long_poll_sleeps_until_a_delay_ends_and_no_longer_than_asked(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue = queues.queue("payments")
            await queue.send([Outgoing("late", delay_seconds=25)])
            assert await queue.receive(10, 20) == []
            assert [it.body for it in await queue.receive(10, 20)] == ["late"]
            assert jumps() == [20, 5]

    run_virtual(main())


def test_a_group_goes_on_at_once_when_its_message_is_deleted(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue = queues.queue("bookings")
            await queue.send([message("a"), message("b")])
            (first,) = await queue.receive(1, 0)
            poll = asyncio.create_task(queue.receive(10, 20))
            await asyncio.sleep(3)
            await queue.delete([first.receipt])
            assert [it.body for it in await poll] == ["b"]
            assert jumps() == [3]

    run_virtual(main())


def test_of_two_long_polls_each_message_goes_to_one(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue = queues.queue("payments")
            polls = [asyncio.create_task(queue.receive(1, 20)) for _ in range(3)]
            await asyncio.sleep(1)
            await queue.send([message("a"), message("b")])
            got = [it.body for poll in polls for it in await poll]
            assert sorted(got) == ["a", "b"]

    run_virtual(main())


def test_a_cancelled_long_poll_takes_no_message_along(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue = queues.queue("payments")
            poll = asyncio.create_task(queue.receive(1, 20))
            await asyncio.sleep(1)
            await queue.send([message("a")])
            poll.cancel()
            await asyncio.wait([poll])
            assert poll.cancelled()
            assert await queue.depth() == Depth(1, 0, 0)

    run_virtual(main())


def test_one_receive_gives_hundreds(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue = queues.queue("payments")
            await queue.send([message(str(i)) for i in range(RECEIVE_LIMIT + 1)])
            got = await queue.receive(10_000, 0)
            assert [it.body for it in got] == [str(i) for i in range(RECEIVE_LIMIT)]

    run_virtual(main())


def test_messages_expire(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue = queues.queue("payments")
            await queue.send([message("a")])
            await asyncio.sleep(4 * DAY_SECONDS - 1)
            assert await queue.depth() == Depth(1, 0, 0)
            await asyncio.sleep(1)
            assert await queue.receive(10, 0) == []
            assert await queue.depth() == Depth(0, 0, 0)

    run_virtual(main())


@pytest.mark.parametrize(("name", "since_first_send"), [("payments", True), ("bookings", False)])
def test_dead_letters_expire_14_days_after_the_send_or_on_fifo_queues_after_the_move(
    tmp_path: Path, name: str, since_first_send: bool
) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue, dead_letters = queues.queue(name), queues.queue(f"{name}-dead")
            await queue.send([message("a")])
            for receive_count in (1, 2):
                (received,) = await queue.receive(10, 0)
                assert received.receive_count == receive_count
                await asyncio.sleep(1.5 * DAY_SECONDS)
            assert await queue.receive(10, 0) == []
            left = DEAD_LETTER_RETENTION_SECONDS - (3 * DAY_SECONDS if since_first_send else 0)
            await asyncio.sleep(left - 1)
            assert await dead_letters.depth() == Depth(1, 0, 0)
            await asyncio.sleep(1)
            assert await dead_letters.depth() == Depth(0, 0, 0)

    run_virtual(main())


@pytest.mark.parametrize("buried", [False, True])
def test_what_is_the_only_copy_never_expires(tmp_path: Path, buried: bool) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue, dead_letters = queues.queue("intake"), queues.queue("intake-dead")
            await queue.send([message("a")])
            await asyncio.sleep(40 * DAY_SECONDS)
            if buried:
                for _ in range(queue.spec.max_receives + 1):
                    for received in await queue.receive(10, 0):
                        await queue.set_visibility([VisibilityChange(received.receipt, 0)])
            await asyncio.sleep(40 * DAY_SECONDS)
            where = dead_letters if buried else queue
            assert await where.depth() == Depth(1, 0, 0)
            [received] = await where.receive(10, 0)
            assert received.body == "a"

    run_virtual(main())


def test_what_an_earlier_version_would_let_expire_is_kept(tmp_path: Path) -> None:
    forgetful = [replace(spec, durable=False) for spec in SPECS]

    async def main() -> None:
        for specs in (forgetful, SPECS):
            queues = EmbeddedQueues(tmp_path / "queues.db", specs, virtual_ambient())
            await queues.open()
            for name in ("intake", "intake-dead"):
                if specs is forgetful:
                    await queues.queue(name).send([message("a")])
                else:
                    await asyncio.sleep(15 * DAY_SECONDS)
                    assert await queues.queue(name).depth() == Depth(1, 0, 0)
            await queues.close()

    run_virtual(main())


def test_a_deduplication_id_is_forgotten_after_five_minutes(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue = queues.queue("bookings")
            await queue.send([message("a")])
            await asyncio.sleep(DEDUPLICATION_SECONDS - 1)
            await queue.send([message("a")])
            assert (await queue.depth()).total == 1
            await asyncio.sleep(1)
            await queue.send([message("a")])
            assert (await queue.depth()).total == 2

    run_virtual(main())


def test_a_new_process_finds_every_message_and_the_leases_of_the_old_one_ended(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue = queues.queue("payments")
            await queue.send([message("leased"), message("put off")])
            await queue.send([Outgoing("delayed", delay_seconds=600)])
            _, put_off = await queue.receive(10, 0)
            await queue.set_visibility([VisibilityChange(put_off.receipt, 300)])
            await queues.queue("bookings").send([message("once")])
        async with opened(tmp_path) as queues:
            queue = queues.queue("payments")
            assert await queue.depth() == Depth(visible=1, in_flight=1, delayed=1)
            await queues.queue("bookings").send([message("once")])
            assert (await queues.queue("bookings").depth()).total == 1

    run_virtual(main())


def test_a_receipt_of_an_earlier_life_of_the_file_deletes_nothing_new(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            await queues.queue("payments").send([message("old")])
            (old,) = await queues.queue("payments").receive(1, 0)
            await queues.queue("payments").delete([old.receipt])
        async with opened(tmp_path) as queues:
            queue = queues.queue("payments")
            await queue.send([message("new")])
            await queue.receive(1, 0)
            await queue.delete([old.receipt])
            assert (await queue.depth()).total == 1

    run_virtual(main())


def test_a_second_owner_of_the_file_is_told_so(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as queues:
            with pytest.raises(DataDirectoryInUseError) as raised:
                async with opened(tmp_path):
                    pass
            assert raised.value.path == str(tmp_path / "queues.db")
            assert await queues.queue("payments").send([message("a")]) == []
        async with opened(tmp_path) as queues:
            assert (await queues.queue("payments").depth()).total == 1

    run_virtual(main())


def test_a_file_that_cannot_be_opened_is_told_so(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "missing"):
            pass

    with pytest.raises(QueueUnavailableError, match="unable to open"):
        run_virtual(main())


def test_closing_ends_long_polls_and_then_nothing_works_any_more(tmp_path: Path) -> None:
    async def main() -> None:
        queues = EmbeddedQueues(tmp_path / "queues.db", SPECS, virtual_ambient())
        queue = queues.queue("payments")
        with pytest.raises(QueuesNotOpenError):
            await queue.send([message("a")])
        await queues.open()
        poll = asyncio.create_task(queue.receive(10, 20))
        await asyncio.sleep(1)
        await queues.close()
        assert await poll == []
        with pytest.raises(QueuesNotOpenError):
            await queue.depth()
        await queues.close()

    run_virtual(main())


@pytest.mark.parametrize(("name", "synced"), [("intake", True), ("payments", False)])
def test_only_sends_to_a_durable_queue_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, synced: bool
) -> None:
    said: list[str] = []
    connect = sqlite3.connect

    def listening(path: Path, *, isolation_level: None, timeout: float) -> sqlite3.Connection:
        connection = connect(path, isolation_level=isolation_level, timeout=timeout)
        connection.set_trace_callback(said.append)
        return connection

    async def main() -> None:
        async with opened(tmp_path) as queues:
            queue = queues.queue(name)
            said.clear()
            await queue.send([message("a")])
            (received,) = await queue.receive(1, 0)
            await queue.delete([received.receipt])

    monkeypatch.setattr(sqlite3, "connect", listening)
    run_virtual(main())
    full, commit, normal = "PRAGMA synchronous = FULL", "COMMIT", "PRAGMA synchronous = NORMAL"
    told = [statement for statement in said if statement in {full, commit, normal}]
    send = [full, commit, normal] if synced else [commit]
    assert told == [*send, commit, commit]
