"""An order rides on: its next step is taken here without a message, and nothing is lost by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa
from tests.unit.core_driver import LEASE_SECONDS, SPECS, Core

from conveyor.core.consumer import Consumer
from conveyor.core.engine import Limits
from conveyor.core.errors import DatabaseUnavailableError
from conveyor.core.message import Token, encode
from conveyor.core.outbox import RELAY_GRACE_MS, OwedToken
from conveyor.core.queue import Outgoing, Received
from conveyor.core.retries import RetryPolicy
from conveyor.core.riding import LATEST_MS, RIDE_SECONDS
from conveyor.core.tables import outbox
from conveyor.core.timeline_event import TimelineEvent
from conveyor.testing.loop import run_virtual

BOTH = tuple(spec.name for spec in SPECS)
ONE_PROCESS = Limits(pollers=1)
GRACE_SECONDS = RELAY_GRACE_MS / 1000
DEAD_SECONDS = GRACE_SECONDS + RIDE_SECONDS


@asynccontextmanager
async def serving(core: Core, *services: str, sweeps: bool = True) -> AsyncIterator[asyncio.Event]:
    """Run a process: consumers and a sweeper; gives what stops it."""
    stop = asyncio.Event()
    engine = core.engine
    tasks = [asyncio.create_task(Consumer(engine, name).run(stop)) for name in services]
    if sweeps:
        tasks.append(asyncio.create_task(engine.relay.sweep(stop)))
    await asyncio.sleep(0)
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def killed(core: Core, *services: str, seconds: float, owed: Sequence[OwedToken]) -> None:
    """Run a process that is given these tokens, and dies after so many seconds."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(Consumer(core.engine, name).run(stop)) for name in services]
    await asyncio.sleep(0)
    await core.engine.relay.send(owed)
    await asyncio.sleep(seconds)
    dying = asyncio.all_tasks() - {asyncio.current_task()}
    for task in dying:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
    for name in services:
        core.engine.relay.let_ride(name, None)


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    while True:
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        await asyncio.sleep(0.01)  # of virtual time


async def until_closed(core: Core, *references: str) -> None:
    await until(lambda: sorted(core.desk.closed) == sorted(references))


async def due_at(core: Core, owed: OwedToken) -> int:
    query = sa.select(outbox.c.due_at).where(outbox.c.order_id == owed.order_id)
    return int(await core.database.read(lambda tx: tx.execute(query).scalar_one()))


async def is_parked(core: Core, owed: OwedToken) -> bool:
    [order] = await core.orders([owed])
    return order.status == "parked"


async def has_failed(core: Core, owed: OwedToken) -> bool:
    return TimelineEvent.FAULT in await core.events(owed)


def sent(core: Core) -> dict[str, int]:
    return {name: len(core.queues.queue(name).sent) for name in BOTH}


def ridden(core: Core) -> dict[str, int]:
    return {name: core.engine.tally["ridden", name] for name in BOTH}


def test_orders_go_all_the_way_without_a_message(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=ONE_PROCESS) as core, serving(core, *BOTH):
            await core.engine.relay.send(await core.place("a", "b"))
            await until_closed(core, "a", "b")
            await asyncio.sleep(DEAD_SECONDS)
            assert sent(core) == {"ask": 0, "desk": 0}
            assert ridden(core) == {"ask": 2, "desk": 2}
            assert await core.owing() == {}
            assert not {what for what, _ in core.engine.tally} - {"ridden", "calling", "handled"}

    run_virtual(main())


def test_a_message_is_sent_where_somebody_else_serves_the_next_step(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=ONE_PROCESS) as core, serving(core, "ask"):
            await core.engine.relay.send(await core.place("a"))
            await until(lambda: bool(core.queues.queue("desk").sent))
            assert ridden(core) == {"ask": 1, "desk": 0}
            async with serving(core, "desk"):
                await until_closed(core, "a")
            assert await core.owing() == {}

    run_virtual(main())


def test_each_step_comes_from_its_queue_where_the_setting_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        limits = Limits(pollers=1, rides=0)
        async with Core(tmp_path, limits=limits) as core, serving(core, *BOTH):
            await core.engine.relay.send(await core.place("a", "b"))
            await until_closed(core, "a", "b")
            assert sent(core) == {"ask": 2, "desk": 2}
            assert ridden(core) == {"ask": 0, "desk": 0}

    run_virtual(main())


def test_a_process_that_is_full_sends_messages_and_keeps_room_for_them(tmp_path: Path) -> None:
    async def main() -> None:
        limits = Limits(pollers=1, in_flight=4)
        async with Core(tmp_path, limits=limits) as core, serving(core, *BOTH):
            answers = asyncio.Event()

            async def slow(request: str) -> str:
                await answers.wait()
                return request

            core.ask.answer = slow
            await core.engine.relay.send(await core.place("a", "b", "c", "d", "e"))
            assert ridden(core)["ask"] == 3  # three quarters of what may be in hand
            assert sent(core)["ask"] == 2
            await asyncio.sleep(1)
            assert len(core.ask.called) == 5  # one receive, of whatever there is, found room
            answers.set()
            await until_closed(core, "a", "b", "c", "d", "e")

    run_virtual(main())


def test_who_is_under_way_goes_before_a_crowd_of_messages(tmp_path: Path) -> None:
    async def main() -> None:
        limits = Limits(pollers=1, in_flight=4)
        async with Core(tmp_path, limits=limits) as core, serving(core, *BOTH):
            core.ask.answer = lambda request: asyncio.sleep(10, request)
            crowd = await core.place(*"abcd")
            bodies = [encode(Token(it.order_id, it.step, 1), core.now_ms) for it in crowd]
            await core.queues.queue("ask").send([Outgoing(body) for body in bodies])
            await until(lambda: len(core.ask.called) == 4)
            await core.engine.relay.send(await core.place("e"))
            assert ridden(core)["ask"] == 1
            await until_closed(core, *"abcde")

    run_virtual(main())


def test_a_stopping_process_takes_nothing_along(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=ONE_PROCESS) as core:
            async with serving(core, *BOTH) as stop:

                async def slow(request: str) -> str:
                    stop.set()
                    await asyncio.sleep(1)
                    return request

                core.ask.answer = slow
                await core.engine.relay.send(await core.place("a"))
                await stop.wait()
            assert (core.ask.recorded, core.desk.closed) == (["a"], [])
            assert sent(core) == {"ask": 0, "desk": 1}
            async with serving(core, "desk"):
                await until_closed(core, "a")

    run_virtual(main())


def test_nobody_takes_an_order_up_that_waits_for_a_slow_call(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=ONE_PROCESS) as core, serving(core, *BOTH):

            async def slow(request: str) -> str:
                await asyncio.sleep(2.9 * RIDE_SECONDS)
                return request

            core.ask.answer = slow
            [owed] = await core.place("a")
            await core.engine.relay.send([owed])
            await asyncio.sleep(2.5 * RIDE_SECONDS)
            left = (await due_at(core, owed) - core.now_ms) / 1000
            assert 0 < left <= RIDE_SECONDS  # so long would it stand if the process died now
            await until_closed(core, "a")
            assert (len(core.ask.called), sent(core)) == (1, {"ask": 0, "desk": 0})
            assert TimelineEvent.DUPLICATE_DROPPED not in await core.events(owed)

    run_virtual(main())


@pytest.mark.parametrize("dies_after", [0.5, 2 * RIDE_SECONDS])
def test_who_rode_with_a_dead_process_is_sent_by_another(tmp_path: Path, dies_after: float) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=ONE_PROCESS) as core:

            async def silent(request: str) -> str:
                await asyncio.sleep(3_600)
                return request

            core.ask.answer = silent
            owed = await core.place("a")
            await killed(core, *BOTH, seconds=dies_after, owed=owed)
            assert sent(core) == {"ask": 0, "desk": 0}
            core.ask.answer = lambda request: asyncio.sleep(0, request)
            died = core.now_ms
            async with serving(core, *BOTH):
                await until_closed(core, "a")
            assert core.now_ms - died < (RIDE_SECONDS + 2) * 1000
            # A message: whoever dies of an order each time is counted by it.
            assert sent(core) == {"ask": 1, "desk": 0}

    run_virtual(main())


def test_a_step_that_fails_comes_back_as_a_message_and_is_parked_at_its_last_try(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        policy = RetryPolicy(max_receives=3)
        async with Core(tmp_path, limits=ONE_PROCESS, retries=policy) as core:
            async with serving(core, *BOTH):
                core.desk.broken = {"a"}
                [owed] = await core.place("a")
                await core.engine.relay.send([owed])
                await until(lambda: is_parked(core, owed))
            assert (await core.events(owed)).count(TimelineEvent.FAULT) == 3
            assert ridden(core) == {"ask": 1, "desk": 1}
            assert sent(core)["desk"] == 1  # which then rests in its queue, as ever
            assert await core.owing() == {}

    run_virtual(main())


def test_a_fault_of_what_rides_lets_it_rest(tmp_path: Path) -> None:
    async def main() -> None:
        policy = RetryPolicy(base_seconds=20.0)
        one = Core(tmp_path, limits=ONE_PROCESS, retries=policy)
        async with one as core, serving(core, *BOTH):
            core.desk.broken = {"a"}
            [owed] = await core.place("a")
            await core.engine.relay.send([owed])
            await until(lambda: has_failed(core, owed))
            [order] = await core.orders([owed])
            assert await due_at(core, owed) == order.expected_at
            assert order.expected_at - core.now_ms > 15_000
            core.desk.broken = set()
            await until_closed(core, "a")
            assert core.now_ms >= order.expected_at

    run_virtual(main())


def test_messages_stay_ours_while_the_database_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=ONE_PROCESS) as core, serving(core, "ask", sweeps=False):
            core.ask.answer = lambda request: asyncio.sleep(3_600, request)
            sent_here, rides = await core.place("a", "b")
            body = encode(Token(sent_here.order_id, sent_here.step, 1), core.now_ms)
            queue = core.queues.queue("ask")
            await queue.send([Outgoing(body)])
            await core.engine.relay.send([rides])
            await until(lambda: len(core.ask.called) == 2)
            monkeypatch.setattr(core.database, "run", hanging)  # away, and does not say so
            received: list[Received] = []
            queue.received = received.extend
            await asyncio.sleep(3 * LEASE_SECONDS)
            monkeypatch.undo()
            assert received == []

    run_virtual(main())


async def hanging(_work: object) -> NoReturn:
    await asyncio.sleep(60)
    raise DatabaseUnavailableError("the database", "gone")


def test_what_a_slow_commit_owes_goes_as_a_message(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=ONE_PROCESS) as core, serving(core, *BOTH):
            late = await core.place("late")
            await asyncio.sleep(LATEST_MS / 1000 + 0.1)
            await core.engine.relay.send(late)
            assert (sent(core)["ask"], ridden(core)["ask"]) == (1, 0)
            await until_closed(core, "late")

    run_virtual(main())


@pytest.mark.parametrize("in_flight", [1, 2, 3, 4])
def test_however_few_are_in_hand_messages_find_room(tmp_path: Path, in_flight: int) -> None:
    async def main() -> None:
        limits = Limits(pollers=1, in_flight=in_flight)
        async with Core(tmp_path, limits=limits) as core, serving(core, *BOTH) as stop:
            riders = [f"r{number}" for number in range(in_flight)]
            core.ask.again = Endless(riders, stop)
            core.ask.answer = lambda request: asyncio.sleep(1, request)
            await core.engine.relay.send(await core.place(*riders))
            [message] = await core.place("z")
            body = encode(Token(message.order_id, message.step, 1), core.now_ms)
            await core.queues.queue("ask").send([Outgoing(body)])
            async with asyncio.timeout(30):
                await until(lambda: "z" in core.ask.recorded)

    run_virtual(main())


class Endless(set[str]):
    """Whose steps are taken again and again, until the stop."""

    def __init__(self, references: Iterable[str], stop: asyncio.Event) -> None:
        super().__init__(references)
        self._stop = stop

    def __contains__(self, reference: object) -> bool:
        return super().__contains__(reference) and not self._stop.is_set()

    def remove(self, _reference: str) -> None: ...
