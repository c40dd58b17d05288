"""A service that is paused: nothing is received for it, nothing rides to it, and nothing is lost.

Each test pauses in the database alone, as another process would: this one finds out by looking.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

import pytest
from tests.unit.core_driver import LEASE_SECONDS, Core
from tests.unit.test_riding import BOTH, DEAD_SECONDS, ONE_PROCESS, ridden, sent, until_closed

from conveyor.core import paused_services
from conveyor.core.actor import Actor
from conveyor.core.consumer import Consumer
from conveyor.core.engine import Limits
from conveyor.core.errors import DatabaseUnavailableError
from conveyor.core.pauses import LOOK_SECONDS
from conveyor.core.queue import Received
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Database, Tx
from conveyor.testing.loop import run_virtual

T = TypeVar("T")
KNOWN_SECONDS = LOOK_SECONDS + 0.1
LONG_SECONDS = 300.0
WHO = Actor(person="anna@desk", why="the bank is being moved")


class Unreadable:
    """A database of which nothing can be read for a while, or what was read comes late."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.dialect = database.dialect
        self.is_away = False
        self.late_seconds = 0.0

    async def run(self, work: Callable[[Tx], T]) -> T:
        return await self._database.run(work)

    async def read(self, work: Callable[[Tx], T]) -> T:
        if self.is_away:
            raise DatabaseUnavailableError("the database", "it is restarted")
        late, found = self.late_seconds, await self._database.read(work)
        await asyncio.sleep(late)
        return found

    async def examine(self, work: Callable[[Tx], T]) -> T:
        return await self._database.examine(work)

    async def close(self) -> None:
        await self._database.close()


@asynccontextmanager
async def working(core: Core, *services: str) -> AsyncIterator[None]:
    """Run these services as a process does, which looks which are paused before anything else."""
    stop, engine = asyncio.Event(), core.engine
    engine.pauses.look_first()
    loops = [engine.pauses.run, engine.relay.sweep]
    loops += [Consumer(engine, name).run for name in services]
    running = [asyncio.create_task(loop(stop)) for loop in loops]
    await asyncio.sleep(0.1)
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*running)


async def pause(core: Core, service: str) -> None:
    now = core.now_ms
    assert await core.database.run(lambda tx: paused_services.pause(tx, service, WHO, now))


async def resume(core: Core, service: str) -> None:
    assert await core.database.run(lambda tx: paused_services.resume(tx, service))


def note_receives(core: Core, service: str) -> list[Received]:
    """Give a list of what is received of this service's queue from now on."""
    received: list[Received] = []
    core.queues.queue(service).received = received.extend
    return received


def test_messages_of_a_paused_service_stay_in_its_queue(tmp_path: Path) -> None:
    async def main() -> None:
        limits = Limits(pollers=2, rides=0)
        async with Core(tmp_path, limits=limits) as core, working(core, *BOTH):
            received = note_receives(core, "desk")
            await pause(core, "desk")
            await asyncio.sleep(KNOWN_SECONDS)
            owed = await core.place("a", "b")
            await core.engine.relay.send(owed)
            await asyncio.sleep(LONG_SECONDS)
            assert (await core.queues.queue("desk").depth()).visible == 2
            assert (received, core.desk.closed) == ([], [])

            await resume(core, "desk")
            await until_closed(core, "a", "b")
            assert [it.receive_count for it in received] == [1, 1]
            events = {event for row in owed for event in await core.events(row)}
            assert not events & {TimelineEvent.FAULT, TimelineEvent.RESENT, TimelineEvent.PARKED}

    run_virtual(main())


def test_an_order_does_not_ride_into_a_service_that_is_paused(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=ONE_PROCESS) as core, working(core, *BOTH):
            await pause(core, "desk")
            await asyncio.sleep(KNOWN_SECONDS)
            await core.engine.relay.send(await core.place("a"))
            await asyncio.sleep(DEAD_SECONDS + LONG_SECONDS)
            assert ridden(core) == {"ask": 1, "desk": 0}
            assert sent(core) == {"ask": 0, "desk": 1}

            await resume(core, "desk")
            await until_closed(core, "a")
            await core.engine.relay.send(await core.place("b"))
            await until_closed(core, "a", "b")
            assert ridden(core) == {"ask": 2, "desk": 1}

    run_virtual(main())


def test_what_is_in_hand_comes_to_its_end_and_keeps_its_lease(tmp_path: Path) -> None:
    async def main() -> None:
        limits = Limits(pollers=1, rides=0)
        async with Core(tmp_path, limits=limits) as core, working(core, *BOTH):
            received, answered = note_receives(core, "ask"), asyncio.Event()

            async def slow(request: str) -> str:
                await answered.wait()
                return request

            core.ask.answer = slow
            await core.engine.relay.send(await core.place("a"))
            await asyncio.sleep(1)
            await pause(core, "ask")
            # Longer than its lease, and less than a call may take.
            await asyncio.sleep(LEASE_SECONDS - 3)
            answered.set()
            await until_closed(core, "a")
            assert [it.receive_count for it in received] == [1]
            assert len(core.ask.called) == 1

    run_virtual(main())


def test_a_process_that_begins_takes_nothing_of_what_is_paused(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=ONE_PROCESS) as core:
            await pause(core, "ask")
            received = note_receives(core, "ask")
            async with working(core, *BOTH):
                await core.engine.relay.send(await core.place("a"))
                await asyncio.sleep(LONG_SECONDS)
                assert (sent(core)["ask"], received) == (1, [])

    run_virtual(main())


def test_what_is_not_known_yet_is_taken_for_paused_and_later_stays_as_it_was(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=ONE_PROCESS) as core:
            database = Unreadable(core.database)
            database.is_away = True
            core.engine.pauses._database = database
            received = note_receives(core, "ask")
            async with working(core, *BOTH):
                await core.engine.relay.send(await core.place("a"))
                await asyncio.sleep(10 * LOOK_SECONDS)
                assert received == []
                database.is_away = False
                await until_closed(core, "a")

                await pause(core, "ask")
                await asyncio.sleep(KNOWN_SECONDS)
                database.is_away = True
                await core.engine.relay.send(await core.place("b"))
                await asyncio.sleep(LONG_SECONDS)
                assert core.desk.closed == ["a"]
                database.is_away = False
                await resume(core, "ask")
                await until_closed(core, "a", "b")

    run_virtual(main())


def test_it_can_be_stopped_while_it_is_paused(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=ONE_PROCESS) as core:
            await pause(core, "ask")
            async with asyncio.timeout(LOOK_SECONDS):
                async with working(core, *BOTH):
                    pass

    run_virtual(main())


def test_a_message_that_comes_while_a_poll_is_ended_is_received_later(tmp_path: Path) -> None:
    async def main() -> None:
        limits = Limits(pollers=3, rides=0)
        async with Core(tmp_path, limits=limits) as core, working(core, *BOTH):
            received = note_receives(core, "ask")
            for turn in range(3):
                await pause(core, "ask")
                await asyncio.sleep(KNOWN_SECONDS)
                await core.engine.relay.send(await core.place(f"{turn}"))
                await asyncio.sleep(LONG_SECONDS)
                assert len(core.desk.closed) == turn
                await resume(core, "ask")
                await until_closed(core, *(f"{it}" for it in range(turn + 1)))
            assert [it.receive_count for it in received] == [1, 1, 1]

    run_virtual(main())


def test_what_was_read_before_is_not_told_after_what_is_newer(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            pauses, database = core.engine.pauses, Unreadable(core.database)
            pauses._database = database
            database.late_seconds = 5
            before = asyncio.create_task(pauses.look())
            await asyncio.sleep(1)
            database.late_seconds = 0
            await pause(core, "ask")
            await pauses.look()
            await before
            assert pauses.holds("ask")

    run_virtual(main())


def test_a_follower_that_breaks_keeps_nobody_from_hearing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            pauses, heard, told = core.engine.pauses, list[bool](), count()

            def broken() -> None:
                if next(told) == 1:
                    raise OSError("its poll cannot be ended")

            pauses.follow("ask", broken)
            pauses.follow("desk", lambda: heard.append(pauses.holds("desk")))
            await pause(core, "ask")
            await pause(core, "desk")
            await pauses.look()
            assert (heard, pauses.holds("ask")) == ([False, True], True)
            assert "ask" in caplog.text
            assert "its poll cannot be ended" in caplog.text
            await resume(core, "desk")
            await pauses.look()
            assert (heard, next(told)) == ([False, True, False], 3)  # it is told again, once
            await pauses.look()
            assert next(told) == 4

    run_virtual(main())
