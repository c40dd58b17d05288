"""Draining real dead-letter queues: what their redrive policy moved, and what others put there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.test_dead_letters import engine_of

from conveyor.core.dead_messages import PAST_US, UNREADABLE
from conveyor.core.draining import Drain, Drained
from conveyor.core.engine import Engine
from conveyor.core.queue import DEAD_LETTER_SUFFIX, Depth, Queue, VisibilityChange
from conveyor.operations.dead_letters import discard_poison, list_poison, redrive_poison
from conveyor.testing.conformance.queues import Deployment
from conveyor.testing.conformance.queues.traffic import (
    EACH_KIND,
    outgoing,
    receive,
    receive_one,
    until_depth,
)

pytestmark = pytest.mark.anyio

GROUP = "flight-1"
SOME = 25  # of one group, of which SQS shows ten at a time


class KilledError(BaseException):
    """The process dies here."""


class Dying:
    """A queue before whose deletes whoever asks for them dies."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def delete(self, receipts: Sequence[str]) -> list[str]:
        raise KilledError(receipts)


class WithDying:
    """Queues of which one is like that."""

    requests = 0

    def __init__(self, queues: Any, dying: str) -> None:
        self._queues, self._dying = queues, dying

    def queue(self, name: str) -> Any:
        found = self._queues.queue(name)
        return Dying(found) if name == self._dying else found


async def drain(engine: Engine) -> int:
    """Drain until nothing is left; gives how many there were."""
    count = 0
    while True:
        (done,) = await Drain(engine).once()
        assert not done.failed
        count += done.count
        if not done.count:
            return count


async def shown(engine: Engine) -> list[str]:
    """Give what the desk shows."""
    return sorted(it.body for it in await list_poison(engine))


@EACH_KIND
async def test_what_the_redrive_policy_moved_waits_on_the_desk(
    deployment: Deployment, tmp_path: Path, fifo: bool
) -> None:
    queue = await deployment.queue(fifo=fifo, max_receives=1)
    dead = deployment.queues.queue(queue.spec.name + DEAD_LETTER_SUFFIX)
    engine = await engine_of(deployment, queue, tmp_path)
    await queue.send([outgoing("not JSON", GROUP, {"kind": "strange"})])
    first = await receive_one(queue)
    await queue.set_visibility([VisibilityChange(first.receipt, 0)])
    await queue.send([outgoing("{}", GROUP)])
    behind = await receive_one(queue)
    assert behind.body == "{}"  # by now the other one is moved
    await queue.delete([behind.receipt])
    await until_depth(dead, Depth(1, 0, 0))

    assert await drain(engine) == 1
    await until_depth(dead, Depth(0, 0, 0))
    [letter] = await list_poison(engine)
    assert (letter.body, letter.queue) == ("not JSON", queue.spec.name)
    if not deployment.under_test.tells_cause:
        assert letter.cause == f"{UNREADABLE}; {PAST_US}"

    assert await redrive_poison(engine, letter.message_id) == letter
    assert await list_poison(engine) == []
    again = await receive_one(queue)
    known_by = ("first-message-id", first.message_id)
    assert (again.body, again.attributes[0]) == ("not JSON", known_by)
    assert ("kind", "strange") in again.attributes
    assert await redrive_poison(engine, letter.message_id) is None


@EACH_KIND
async def test_all_of_a_message_group_is_drained(
    deployment: Deployment, tmp_path: Path, fifo: bool
) -> None:
    queue = await deployment.queue(fifo=fifo)
    dead = deployment.queues.queue(queue.spec.name + DEAD_LETTER_SUFFIX)
    engine = await engine_of(deployment, queue, tmp_path)
    bodies = [f"moved {n}" for n in range(SOME)]
    assert await dead.send([outgoing(body, GROUP) for body in bodies]) == []
    await until_depth(dead, Depth(SOME, 0, 0))
    assert await drain(engine) == SOME
    assert await shown(engine) == sorted(bodies)
    for letter in await list_poison(engine):
        assert await discard_poison(engine, letter.message_id, "not ours") == letter
    assert await shown(engine) == []
    await until_depth(dead, Depth(0, 0, 0))


@EACH_KIND
async def test_who_dies_between_commit_and_delete_leaves_each_once(
    deployment: Deployment, tmp_path: Path, fifo: bool
) -> None:
    queue = await deployment.queue(fifo=fifo, visibility_seconds=1)
    dead = deployment.queues.queue(queue.spec.name + DEAD_LETTER_SUFFIX)
    engine = await engine_of(deployment, queue, tmp_path)
    bodies = [f"moved {n}" for n in range(4)]
    assert await dead.send([outgoing(body, body) for body in bodies]) == []
    await until_depth(dead, Depth(4, 0, 0))
    queues: Any = WithDying(engine.queues, dead.spec.name)
    dying = replace(engine, queues=queues)
    with pytest.raises(KilledError):
        await Drain(dying).once()

    await until_depth(dead, Depth(4, 0, 0))  # their leases have ended: they are in both places
    assert await shown(engine) == sorted(bodies)
    given_up = (await list_poison(engine))[0]
    assert await discard_poison(engine, given_up.message_id, "not ours")
    bodies.remove(given_up.body)
    assert await shown(engine) == sorted(bodies)
    assert await drain(engine) == 4
    assert await shown(engine) == sorted(bodies)
    await until_depth(dead, Depth(0, 0, 0))


async def test_a_queue_that_does_not_answer_keeps_the_others_from_nothing(
    deployment: Deployment, tmp_path: Path
) -> None:
    queue, other = await deployment.queue(), await deployment.queue()
    engine = await engine_of(deployment, queue, tmp_path)
    engine.registry.queues[other.spec.name] = other.spec
    dead = deployment.queues.queue(other.spec.name + DEAD_LETTER_SUFFIX)
    await dead.send([outgoing("moved")])

    class Away(Dying):
        async def receive(self, _limit: int, _wait: float) -> list[Any]:
            raise ConnectionError

    class WithOneAway(WithDying):
        def queue(self, name: str) -> Any:
            found = super().queue(name)
            return Away(found) if isinstance(found, Dying) else found

    away = queue.spec.name + DEAD_LETTER_SUFFIX
    queues: Any = WithOneAway(engine.queues, away)
    with_one_away = replace(engine, queues=queues)
    assert await Drain(with_one_away).once() == [
        Drained(queue.spec.name, 0, more=True, failed="ConnectionError: "),
        Drained(other.spec.name, 1),
    ]
    assert await receive(dead, 0) == []
