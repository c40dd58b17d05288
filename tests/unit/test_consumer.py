"""What a consumer does with messages: which it deletes, gives back, buries, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.core_driver import LEASE_SECONDS, Core, a_message

from conveyor.core.consumer import Consumer
from conveyor.core.engine import Limits
from conveyor.core.errors import NotAppliedError
from conveyor.core.message import Token, encode
from conveyor.core.outbox import OwedToken
from conveyor.core.queue import Outgoing, Received, VisibilityChange
from conveyor.core.retries import RetryPolicy
from conveyor.core.taking_tokens import ORPHAN_SECONDS
from conveyor.core.time_limits import CHECK_SECONDS
from conveyor.core.timeline_event import TimelineEvent
from conveyor.testing.loop import run_virtual

POISON = "no token at all"


def told(core: Core, what: str) -> int:
    return sum(count for (kind, _), count in core.engine.tally.items() if kind == what)


async def receive(core: Core, service: str, *bodies: str) -> list[Received]:
    queue = core.queues.queue(service)
    assert await queue.send([Outgoing(body) for body in bodies]) == []
    return await queue.receive(len(bodies), 0)


def body_of(owed: OwedToken, core: Core) -> str:
    return encode(Token(owed.order_id, owed.step, owed.version), core.now_ms)


def test_an_order_goes_through_once_and_nothing_is_left(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            owed = await core.place("a")
            await core.take("ask", *owed)
            desk = core.queues.queue("desk")
            await Consumer(core.engine, "desk").handle(await desk.receive(1, 0))
            assert core.desk.closed == core.ask.recorded == ["a"]
            assert await core.owing() == {}
            for name in ("ask", "desk"):
                assert (await core.queues.queue(name).depth()).total == 0
            assert not {what for what, _ in core.engine.tally} - {"handled", "calling"}

    run_virtual(main())


def test_a_fault_of_one_order_is_no_fault_of_its_group(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            core.desk.broken = {"b"}
            owed = await core.place("a", "b", "c")
            await core.take("ask", *owed)
            desk = core.queues.queue("desk")
            await Consumer(core.engine, "desk").handle(await desk.receive(10, 0))
            assert [o.status for o in await core.orders(owed)] == [
                "completed",
                "processing",
                "completed",
            ]
            assert (
                (await core.events(owed[1])).count(TimelineEvent.FAULT)
                == told(core, "faulted")
                == 1
            )
            assert len(desk.deleted) == 2

    run_virtual(main())


def test_an_answer_that_cannot_be_recorded_is_no_fault_of_its_group(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            core.ask.broken = {"b"}
            owed = await core.place("a", "b", "c")
            await core.take("ask", *owed)
            assert [o.position for o in await core.orders(owed)] == [1, 0, 1]
            assert told(core, "faulted") == 1
            assert [(await core.events(one)).count(TimelineEvent.FAULT) for one in owed] == [
                0,
                1,
                0,
            ]
            assert len(core.queues.queue("ask").deleted) == 2
            assert len(core.queues.queue("desk").sent) == 2

    run_virtual(main())


def test_an_answer_is_recorded_once_though_two_copies_of_the_token_called(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await core.place("a")
            answered = asyncio.Event()

            async def slow(request: str) -> str:
                await answered.wait()
                return request

            core.ask.answer = slow
            messages = await receive(core, "ask", *[body_of(owed, core)] * 2)
            both = [Consumer(core.engine, "ask") for _ in messages]
            handling = [
                asyncio.create_task(consumer.handle([message]))
                for consumer, message in zip(both, messages, strict=True)
            ]
            await asyncio.sleep(1)
            answered.set()
            await asyncio.gather(*handling)
            [order] = await core.orders([owed])
            assert (order.version, order.position) == (owed.version + 1, 1)
            assert core.ask.recorded == ["a"]
            assert TimelineEvent.FAULT not in await core.events(owed)
            assert told(core, "faulted") == 0
            assert len(core.queues.queue("desk").sent) == 1
            assert (await core.queues.queue("ask").depth()).total == 0

    run_virtual(main())


def test_a_copy_that_comes_late_is_dropped_and_noted(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await core.place("a")
            await core.take("ask", owed)
            await core.take("ask", owed)
            assert core.ask.recorded == ["a"]
            assert told(core, "stale") == 1
            assert (await core.events(owed)).count(TimelineEvent.DUPLICATE_DROPPED) == 1
            assert (await core.queues.queue("ask").depth()).total == 0

    run_virtual(main())


def test_poison_goes_to_the_dead_letters_with_its_cause(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            messages = await receive(core, "ask", POISON)
            await Consumer(core.engine, "ask").handle(messages)
            dead = core.queues.queue("ask-dead")
            assert [m.body for m in dead.sent] == [POISON]
            assert dict(dead.sent[0].attributes)["cause"]
            assert (await core.queues.queue("ask").depth()).total == 0

    run_virtual(main())


def test_poison_that_the_dead_letter_queue_refuses_is_not_lost(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            queue, dead = core.queues.queue("ask"), core.queues.queue("ask-dead")
            dead.refuses = lambda _message: True
            messages = await receive(core, "ask", POISON)
            await Consumer(core.engine, "ask").handle(messages)
            assert queue.deleted == []
            assert (await queue.depth()).total == 1
            dead.refuses = lambda _message: False
            await asyncio.sleep(LEASE_SECONDS * 20)  # however long it is told to rest
            await Consumer(core.engine, "ask").handle(await queue.receive(1, 0))
            assert [m.body for m in dead.sent] == [POISON]
            assert (await queue.depth()).total == 0

    run_virtual(main())


def test_poison_is_no_fault_of_the_group_that_it_came_with(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            core.queues.queue("ask-dead").refuses = lambda message: message.body == "bad"
            owed = await core.place("a", "b")
            bodies = [body_of(owed[0], core), "bad", POISON, body_of(owed[1], core)]
            await Consumer(core.engine, "ask").handle(await receive(core, "ask", *bodies))
            assert core.ask.recorded == ["a", "b"]
            assert [m.body for m in core.queues.queue("ask-dead").sent] == [POISON]
            assert len(core.queues.queue("ask").deleted) == 3

    run_virtual(main())


def test_a_rest_is_not_undone_by_extending_the_lease(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, retries=RetryPolicy(base_seconds=64.0)) as core:
            [owed] = await core.place("a")
            queue = core.queues.queue("desk")
            core.desk.broken = {"a"}
            await core.take("ask", owed)
            [message] = await queue.receive(1, 0)
            consumer = Consumer(core.engine, "desk")

            async def extend_meanwhile(_changes: Sequence[VisibilityChange]) -> None:
                await asyncio.sleep(LEASE_SECONDS - 1)  # and the lease is near its end
                queue.changing = _at_once
                await consumer.leases.extend_once()

            queue.changing = extend_meanwhile
            await consumer.handle([message])
            assert [change.receipt for change in queue.changes] == [message.receipt]
            assert queue.changes[0].seconds >= 64
            await asyncio.sleep(60)
            assert await queue.receive(1, 0) == []

    run_virtual(main())


async def _at_once(_changes: Sequence[VisibilityChange]) -> None: ...


def test_a_fault_rests_longer_each_time_and_is_parked_at_the_last(tmp_path: Path) -> None:
    async def main() -> None:
        policy = RetryPolicy(max_receives=4, base_seconds=2.0)
        async with Core(tmp_path, retries=policy) as core:
            [owed] = await core.place("a")
            core.desk.broken = {"a"}
            await core.take("ask", owed)
            queue = core.queues.queue("desk")
            for receives in (1, 2, 3, 4):
                [message] = await queue.receive(1, 0)
                assert message.receive_count == receives
                await Consumer(core.engine, "desk").handle([message])
                [order] = await core.orders([owed])
                assert order.status == ("parked" if receives == 4 else "processing")
                if receives < 4:
                    rest = queue.changes[-1].seconds
                    # So that the reconciler does not take what rests for what is lost.
                    assert order.expected_at == core.now_ms + rest * 1000
                    assert 2**receives <= rest <= 2 * 2**receives
                    await asyncio.sleep(rest - 0.001)
                    assert await queue.receive(1, 0) == []
                    await asyncio.sleep(0.001)
            assert (await queue.depth()).total == 0
            assert await core.owing() == {}

    run_virtual(main())


def test_a_message_whose_taker_dies_each_time_is_parked_and_not_taken(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, retries=RetryPolicy(max_receives=3)) as core:
            owed = await core.place("a", "b")
            for one, received, status in zip(owed, (3, 4), ("processing", "parked"), strict=True):
                message = a_message(one.order_id, body_of(one, core), core.now_ms + 30_000)
                crashed = a_message(
                    message.receipt, message.body, message.visible_at_ms, receive_count=received
                )
                await Consumer(core.engine, "ask").handle([crashed])
                assert [o.status for o in await core.orders([one])] == [status]
            assert core.ask.recorded == ["a"]

    run_virtual(main())


def test_what_a_poll_brings_after_the_stop_is_given_back_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            owed = await core.place("a", "b")
            await core.engine.relay.send(owed)
            queue, stop = core.queues.queue("ask"), asyncio.Event()
            queue.received = lambda _messages: stop.set()
            await asyncio.wait_for(Consumer(core.engine, "ask").run(stop), 1)
            depth = await queue.depth()
            assert (depth.visible, depth.in_flight) == (2, 0)
            assert core.ask.called == []

    run_virtual(main())


def test_what_is_under_way_at_the_stop_ends_within_the_grace(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=Limits(pollers=1, grace_seconds=10)) as core:
            owed = await core.place("a")
            await core.engine.relay.send(owed)
            stop, begun = asyncio.Event(), core.now_ms

            async def slow(request: str) -> str:
                stop.set()
                await asyncio.sleep(9)
                return request

            core.ask.answer = slow
            await Consumer(core.engine, "ask").run(stop)
            assert core.now_ms - begun < 10_000
            assert core.ask.recorded == ["a"]
            assert (await core.queues.queue("ask").depth()).total == 0
            assert len(core.queues.queue("desk").sent) == 1

    run_virtual(main())


def test_a_stop_does_not_wait_longer_than_the_grace(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=Limits(pollers=1, grace_seconds=10)) as core:
            await core.engine.relay.send(await core.place("a"))
            stop, begun = asyncio.Event(), core.now_ms

            async def silent(_request: str) -> str:
                stop.set()
                await asyncio.sleep(3_600)
                return "too late"

            core.ask.answer = silent
            await Consumer(core.engine, "ask").run(stop)
            assert 10_000 <= core.now_ms - begun <= 13_000
            assert (await core.queues.queue("ask").depth()).total == 1

    run_virtual(main())


@pytest.mark.parametrize(("grace", "most"), [(0, 1), (5, 5), (25, 20), (60, 20)])
def test_an_open_poll_is_waited_for_within_the_grace(
    tmp_path: Path, grace: float, most: float
) -> None:
    """Where it cannot be ended early: what SQS gives to one that is broken off is hidden."""

    async def main() -> None:
        limits = Limits(pollers=1, grace_seconds=grace)
        async with Core(tmp_path, limits=limits) as core:
            core.queues.queue("ask").wake = lambda: None  # type: ignore[method-assign]
            stop = asyncio.Event()
            running = asyncio.create_task(Consumer(core.engine, "ask").run(stop))
            await asyncio.sleep(0.1)
            stop.set()
            stopped = core.now_ms
            await running
            assert core.now_ms - stopped <= most * 1000

    run_virtual(main())


def test_handlers_and_polls_share_the_grace(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=Limits(pollers=1, grace_seconds=10)) as core:
            await core.engine.relay.send(await core.place("a"))
            core.queues.queue("ask").wake = lambda: None  # type: ignore[method-assign]
            stop = asyncio.Event()

            async def silent(_request: str) -> str:
                await asyncio.sleep(3_600)
                return "too late"

            core.ask.answer = silent
            running = asyncio.create_task(Consumer(core.engine, "ask").run(stop))
            await asyncio.sleep(0.1)
            stop.set()
            stopped = core.now_ms
            await running
            assert core.now_ms - stopped <= 10_000 + CHECK_SECONDS * 1000

    run_virtual(main())


def test_no_more_is_taken_than_may_be_in_flight(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, limits=Limits(pollers=1, in_flight=10)) as core:
            await core.engine.relay.send(await core.place(*map(str, range(25))))
            queue, stop, go_on = core.queues.queue("ask"), asyncio.Event(), asyncio.Event()
            most = 0

            async def slow(request: str) -> str:
                await go_on.wait()
                return request

            def count(_messages: list[Received]) -> None:
                nonlocal most
                most = max(most, len(consumer.leases))

            core.ask.answer, queue.received = slow, count
            consumer = Consumer(core.engine, "ask")
            running = asyncio.create_task(consumer.run(stop))
            await asyncio.sleep(5)
            assert len(consumer.leases) < 10 + queue.receive_limit
            assert len(core.ask.called) < 25
            go_on.set()
            await asyncio.sleep(5)
            assert len(core.ask.recorded) == 25
            assert most < 10
            stop.set()
            await running

    run_virtual(main())


def test_a_call_is_known_by_its_order_step_and_attempt(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            owed = await core.place("a", "b")
            await core.take("ask", *owed)
            assert core.ask.called == [f"{one.order_id}/ask.price/1" for one in owed]
            assert [await core.call_states(one) for one in owed] == [["answered"]] * 2

    run_virtual(main())


def test_a_call_that_did_nothing_keeps_its_key_and_one_that_was_answered_does_not(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await core.place("a")

            async def down(_request: str) -> str:
                raise NotAppliedError("down")

            answer, core.ask.answer, core.ask.again = core.ask.answer, down, {"a"}
            queue, consumer = core.queues.queue("ask"), Consumer(core.engine, "ask")
            await core.take("ask", owed)
            core.ask.answer = answer
            await asyncio.sleep(queue.changes[-1].seconds)
            await consumer.handle(await queue.receive(1, 0))
            await consumer.handle(await queue.receive(1, 0))
            assert core.ask.called == [f"{owed.order_id}/ask.price/{n}" for n in (1, 1, 2)]
            assert await core.call_states(owed) == ["answered", "answered"]

    run_virtual(main())


def test_a_token_of_another_step_is_poison(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await core.place("a")
            body = body_of(owed._replace(step="ask.nothing"), core)
            await Consumer(core.engine, "ask").handle(await receive(core, "ask", body))
            assert [m.body for m in core.queues.queue("ask-dead").sent] == [body]
            assert told(core, "poisoned") == 1
            assert (await core.orders([owed]))[0].version == owed.version

    run_virtual(main())


@pytest.mark.parametrize("after_seconds", [0, ORPHAN_SECONDS - 1, ORPHAN_SECONDS])
def test_a_token_of_no_order_is_dropped_once_it_is_old(tmp_path: Path, after_seconds: int) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            queue = core.queues.queue("ask")
            [owed] = await core.place("a")
            body = body_of(owed._replace(order_id="9" * 26), core)
            await queue.send([Outgoing(body)])
            await asyncio.sleep(after_seconds)
            consumer = Consumer(core.engine, "ask")
            [message] = await queue.receive(1, 0)
            await consumer.handle([message])
            if left := ORPHAN_SECONDS - after_seconds:
                assert queue.changes == [VisibilityChange(message.receipt, left)]
                await asyncio.sleep(left)
                await consumer.handle(await queue.receive(1, 0))
            assert told(core, "orphaned") == 1
            assert (await queue.depth()).total == 0
            assert core.queues.queue("ask-dead").sent == []

    run_virtual(main())


@pytest.mark.parametrize("sent_ahead_seconds", [1, 86_400])
def test_a_token_of_no_order_rests_no_longer_where_clocks_differ(
    tmp_path: Path, sent_ahead_seconds: int
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await core.place("a")
            body = body_of(owed._replace(order_id="9" * 26), core)
            [message] = await receive(core, "ask", body)
            ahead = replace(message, sent_at_ms=core.now_ms + sent_ahead_seconds * 1000)
            await Consumer(core.engine, "ask").handle([ahead])
            [change] = core.queues.queue("ask").changes
            assert change.seconds == ORPHAN_SECONDS

    run_virtual(main())
