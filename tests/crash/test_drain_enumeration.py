"""A drain of the dead letters that dies anywhere loses none, and shows none of them twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from tests.crash.enumeration import durable_points
from tests.servers.memory import directory_in_memory

from conveyor.core.draining import Drain
from conveyor.core.message import Token, encode
from conveyor.core.queue import DEAD_LETTER_SUFFIX, Outgoing
from conveyor.operations.dead_letters import discard_poison, list_poison, redrive_poison
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.installation import installation
from conveyor.system.parts import Parts
from conveyor.system.tables import create_all
from conveyor.testing.crashing import Boundaries, Crash
from conveyor.testing.virtual import Machine

QUEUE = "payments"
DEAD = QUEUE + DEAD_LETTER_SUFFIX
A_TOKEN = encode(Token("01KDVXQG0053EJ2M8Q4N7T6WAB", "payments.capture", 3), 0)
BODIES = ["garbage", '{"a": "thing"}', A_TOKEN]
LATER_SECONDS = 120.0
"""By then the leases of whoever died have ended, and what they had in hand is free."""
Life = Callable[[App], Coroutine[Any, Any, Any]]


class Desk(Machine):
    """A system in which no service works: what is sent to a queue stays there."""

    async def _live(self, parts: Parts, life: Life) -> Any:
        self.app = app = App(self.settings, parts, self.installed)
        if not self._has_tables:
            await create_all(app.parts.database, self.installed)
            self._has_tables = True
        await app.open()
        return await life(app)


@contextmanager
def desk() -> Iterator[Desk]:
    """Give one with messages in its dead-letter queue."""

    async def put(app: App) -> None:
        assert await app.parts.queues.queue(DEAD).send([Outgoing(it) for it in BODIES]) == []

    with directory_in_memory() as directory:
        machine = Desk(directory, {}, installation(Settings()))
        machine.run(put)
        yield machine


def each_crash(life: Life, before: Life | None = None) -> Iterator[Desk]:
    """Let a life die at each point at which that makes a difference."""
    boundaries = Boundaries()
    with desk() as machine:
        if before:
            machine.run(before)
        machine.run(life, boundaries)
    points = durable_points(boundaries.names)
    assert len(points) > 1
    for point in points:
        with desk() as machine:
            if before:
                machine.run(before)
            try:
                machine.run(life, Boundaries(point))
            except Crash:
                yield machine


async def drain(app: App) -> None:
    """Drain once, now."""
    assert [it.failed for it in await Drain(app.engine).once() if it.failed] == []


async def shown_later(app: App) -> list[str]:
    """Drain once more, and give what the desk shows."""
    await asyncio.sleep(LATER_SECONDS)
    await drain(app)
    return sorted(it.body for it in await list_poison(app.engine))


async def _id_of(app: App, body: str) -> str:
    return next(it.message_id for it in await list_poison(app.engine) if it.body == body)


async def depth(app: App, queue: str) -> int:
    """Count what lies in a queue."""
    return (await app.parts.queues.queue(queue).depth()).total


def test_a_drain_that_dies_loses_none_and_doubles_none() -> None:
    for machine in each_crash(drain):
        assert machine.run(shown_later) == sorted(BODIES)
        assert machine.run(lambda app: depth(app, DEAD)) == 0


def test_what_was_discarded_does_not_come_up_again() -> None:
    async def discard(app: App) -> None:
        await discard_poison(app.engine, await _id_of(app, "garbage"), "not ours")

    async def give_up(app: App) -> list[str]:
        if "garbage" in await shown_later(app):
            await discard(app)
        return await shown_later(app)

    for machine in each_crash(discard, before=drain):
        assert machine.run(give_up) == sorted(BODIES[1:])


def test_a_copy_that_a_dead_drain_left_in_the_queue_is_not_decided_about_twice() -> None:
    async def discard_all(app: App) -> None:
        for it in await list_poison(app.engine):
            assert await discard_poison(app.engine, it.message_id, "not ours")

    for machine in each_crash(drain):
        machine.run(discard_all)  # some lie in the queue, some in the database, some in both
        left = machine.run(shown_later)
        machine.run(discard_all)
        assert machine.run(shown_later) == []
        assert len(left) <= len(BODIES)


def test_a_redrive_that_dies_loses_none() -> None:
    async def redrive(app: App) -> None:
        await redrive_poison(app.engine, await _id_of(app, A_TOKEN))

    async def again(app: App) -> list[str]:
        if A_TOKEN in await shown_later(app):
            await redrive(app)
        return await shown_later(app)

    for machine in each_crash(redrive, before=drain):
        assert machine.run(again) == sorted(BODIES[:2])
        assert machine.run(lambda app: depth(app, QUEUE)) >= 1
