"""Looking into dead-letter queues: what is there is shown, or counted, whatever the queue is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.conformance.queue_fixtures import AMBIENT

from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.core.consumer import Consumer
from conveyor.core.engine import Engine, Limits
from conveyor.core.providers import Providers
from conveyor.core.queue import DEAD_LETTER_SUFFIX, Depth, Queue
from conveyor.core.registry import Registry
from conveyor.core.relay import Relay
from conveyor.core.retries import RetryPolicy
from conveyor.operations.dead_letters import MAX_PEEKED, look_into_dead_letters, redrive_poison
from conveyor.settings import Settings
from conveyor.system.installation import installation
from conveyor.system.tables import create_all
from conveyor.testing.conformance.queues import Deployment
from conveyor.testing.conformance.queues.traffic import EACH_KIND, outgoing, receive, until_depth

pytestmark = pytest.mark.anyio

GROUP = "flight-1"
SOME = 15  # more than SQS gives at once


async def engine_of(deployment: Deployment, queue: Queue, directory: Path) -> Engine:
    """Give an engine that has this queue and no flow."""
    database = SqliteDatabase(directory / "kept.db", inline=True)
    await create_all(database, installation(Settings()))
    return Engine(
        database=database,
        queues=deployment.queues,
        registry=Registry([], {}, [queue.spec]),
        ambient=AMBIENT,
        relay=Relay(database, deployment.queues, AMBIENT),
        retries=RetryPolicy(),
        limits=Limits(),
        providers=Providers(AMBIENT.random),
    )


async def send(queue: Queue, names: Sequence[str]) -> None:
    assert await queue.send([outgoing(name, GROUP) for name in names]) == []


@EACH_KIND
async def test_all_poison_of_one_message_group_is_shown(
    deployment: Deployment, tmp_path: Path, fifo: bool
) -> None:
    queue = await deployment.queue(fifo=fifo)
    engine = await engine_of(deployment, queue, tmp_path)
    names = [f"garbage {n}" for n in range(SOME)]
    await send(queue, names)
    consumer = Consumer(engine, queue.spec.name)
    for _ in range(0, SOME, 5):
        await consumer.handle(await receive(queue, 5))
    dead = deployment.queues.queue(queue.spec.name + DEAD_LETTER_SUFFIX)
    await until_depth(dead, Depth(SOME, 0, 0))
    looks = [await look_into_dead_letters(engine) for _ in range(2)]  # looking changes nothing
    for look in looks:
        assert sorted(poison.body for poison in look.poison) == sorted(names)
        assert look.not_shown == {}
    last = max(looks[1].poison, key=lambda poison: poison.body)
    assert await redrive_poison(engine, last.message_id) == last
    [again] = await receive(queue, 1)
    assert again.body == last.body


@EACH_KIND
async def test_what_a_queue_does_not_give_is_counted(
    deployment: Deployment, tmp_path: Path, fifo: bool
) -> None:
    # What the queue's own redrive policy moves keeps its group; SQS gives ten of it at most.
    queue = await deployment.queue(fifo=fifo)
    dead = deployment.queues.queue(queue.spec.name + DEAD_LETTER_SUFFIX)
    engine = await engine_of(deployment, queue, tmp_path)
    many = MAX_PEEKED + 7
    await send(dead, [f"moved {n}" for n in range(many)])
    await until_depth(dead, Depth(many, 0, 0))
    look = await look_into_dead_letters(engine)
    assert 0 < len(look.poison) <= MAX_PEEKED
    assert look.not_shown == {queue.spec.name: many - len(look.poison)}
    if not fifo or dead.receive_limit > SOME:
        assert len(look.poison) == MAX_PEEKED
