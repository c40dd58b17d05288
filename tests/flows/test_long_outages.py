"""Half an hour without the database, or a dead-letter queue that fails: nobody is to blame."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.examples.stories import place, status_of
from tests.flows.machines import machine_of
from tests.flows.test_outages import ORDER, Away, database_away

from conveyor.commerce.orders import placement
from conveyor.core.errors import QueueUnavailableError
from conveyor.core.message import Token, encode
from conveyor.core.queue import Outgoing
from conveyor.core.reconciler import Reconciler
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.operations.dead_letters import list_poison
from conveyor.system.composition import App
from conveyor.testing.tokens import check_tokens

MINUTE = 60.0
HOUR = 3_600.0
INTAKE_BODY = orjson.dumps(ORDER | {"shipping": {"country": "US"}}).decode()


async def statuses(app: App, ids: list[str]) -> Counter[str]:
    return Counter([await status_of(app, one) for one in ids])


async def stock(app: App) -> None:
    await app.parts.database.run(lambda tx: set_stock(tx, "default", "CD", 1_000))


@pytest.mark.parametrize("minutes", [10, 30])
def test_orders_wait_for_the_database_and_none_is_parked(tmp_path: Path, minutes: int) -> None:
    world = machine_of("shop", tmp_path, {"payment_latency_seconds": 1.0})

    async def life(app: App) -> None:
        ids = [await place(app, ORDER) for _ in range(20)]
        await asyncio.sleep(0.5)
        with database_away(app):
            await asyncio.sleep(minutes * MINUTE)
        await asyncio.sleep(5 * MINUTE)
        assert await statuses(app, ids) == {"completed": 20}
        assert await list_poison(app.engine) == []

    world.run(life)
    check_tokens(world.directory)


def test_a_database_that_comes_and_goes_parks_no_order(tmp_path: Path) -> None:
    world = machine_of("shop", tmp_path, {"payment_latency_seconds": 1.0})

    async def life(app: App) -> None:
        ids: list[str] = []
        for _ in range(60):
            with database_away(app):
                await asyncio.sleep(25)
            await asyncio.sleep(1)
            ids.append(await place(app, ORDER))
            await asyncio.sleep(0.5)
        await asyncio.sleep(10 * MINUTE)
        assert await statuses(app, ids) == {"completed": 60}

    world.run(life)
    check_tokens(world.directory)


def test_nothing_is_received_while_nothing_can_be_committed(tmp_path: Path) -> None:
    world = machine_of("shop", tmp_path)

    async def life(app: App) -> None:
        queue = app.parts.queues.queue("payments")
        with database_away(app):
            await queue.send([Outgoing(encode(Token("0" * 26, "payments.authorize", 1), 0))])
            await asyncio.sleep(2 * MINUTE)
            assert not app.engine.gate.is_open
            await queue.send([Outgoing(encode(Token("1" * 26, "payments.authorize", 1), 0))])
            await asyncio.sleep(HOUR)
            # The sweeper found it out before anything was received: these are the receives here.
            assert (await queue.depth()).visible == 2
            counts = {m.receive_count for m in await queue.receive(10, 0)}
            assert counts == {1}
        await asyncio.sleep(MINUTE)
        assert app.engine.gate.is_open

    world.run(life)


def test_a_stop_is_prompt_while_the_database_is_away(tmp_path: Path) -> None:
    world = machine_of("shop", tmp_path)

    async def life(app: App) -> float:
        ids = [await place(app, ORDER)]
        database: Any = app.parts.database
        with database_away(app):
            away = database.run
            await asyncio.sleep(1)
        database.run = away  # and it stays so, beyond the stop
        assert ids
        await asyncio.sleep(1)
        return asyncio.get_running_loop().time()

    began = world.run(life)
    assert world.elapsed - began < 5


def test_intake_waits_for_the_database(tmp_path: Path) -> None:
    world = machine_of("shop", tmp_path)

    async def life(app: App) -> None:
        await stock(app)
        with database_away(app):
            await app.parts.queues.queue("intake").send([Outgoing(INTAKE_BODY)] * 5)
            await asyncio.sleep(30 * MINUTE)
        await asyncio.sleep(5 * MINUTE)
        assert app.engine.tally["handled", "orders"] == 5
        assert await list_poison(app.engine) == []

    world.run(life)


def test_intake_waits_while_too_many_orders_are_being_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = machine_of("shop", tmp_path)

    async def life(app: App) -> None:
        await stock(app)
        with monkeypatch.context() as full:
            full.setattr(placement, "MAX_WAITING", 0)
            await app.parts.queues.queue("intake").send([Outgoing(INTAKE_BODY)] * 5)
            await asyncio.sleep(30 * MINUTE)
        await asyncio.sleep(5 * MINUTE)
        assert app.engine.tally["handled", "orders"] == 5
        assert await list_poison(app.engine) == []

    world.run(life)


class Failing(Away):
    """Queues of which one does not take the first `failures` sends to it."""

    def __init__(self, queues: Any, name: str, failures: int) -> None:
        super().__init__(queues)
        self.name = name
        self.failures = failures

    def queue(self, name: str) -> Any:
        return _Sends(self._queues.queue(name), self) if name == self.name else super().queue(name)


class _Sends:
    def __init__(self, queue: Any, queues: Failing) -> None:
        self._queue, self._queues = queue, queues

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def send(self, messages: Any) -> Any:
        if self._queues.failures > 0:
            self._queues.failures -= 1
            raise QueueUnavailableError(self._queues.name, "throttled")
        return await self._queue.send(messages)


def test_a_dead_letter_that_cannot_be_sent_harms_nobody_else(tmp_path: Path) -> None:
    world = machine_of("shop", tmp_path, {"in_flight": 1})
    world.wrap_queues = lambda queues: Failing(queues, "payments-dead", 1)

    async def life(app: App) -> None:
        await app.parts.queues.queue("payments").send([Outgoing("poison")])
        ids = [await place(app, ORDER) for _ in range(10)]
        await asyncio.sleep(10)
        assert await statuses(app, ids) == {"completed": 10}
        assert (await app.parts.queues.queue("payments-dead").depth()).total == 1
        ids = [await place(app, ORDER)]
        await asyncio.sleep(5)
        assert await statuses(app, ids) == {"completed": 1}

    world.run(life)


def test_a_dead_letter_of_intake_that_cannot_be_sent_harms_nobody_else(tmp_path: Path) -> None:
    world = machine_of("shop", tmp_path)
    world.wrap_queues = lambda queues: Failing(queues, "intake-dead", 1)

    async def life(app: App) -> None:
        await stock(app)
        bodies = [INTAKE_BODY, "not an order", INTAKE_BODY]
        await app.parts.queues.queue("intake").send([Outgoing(body) for body in bodies])
        await asyncio.sleep(MINUTE)
        assert app.engine.tally["handled", "orders"] == 2
        assert (await app.parts.queues.queue("intake").depth()).total == 0
        assert (await app.parts.queues.queue("intake-dead").depth()).total == 1

    world.run(life)


def test_a_loop_that_breaks_is_started_again_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = machine_of("shop", tmp_path)
    runs: list[float] = []

    async def breaks(_self: Reconciler, stop: asyncio.Event) -> None:
        runs.append(asyncio.get_running_loop().time())
        if len(runs) < 3:
            raise ZeroDivisionError
        await stop.wait()

    monkeypatch.setattr(Reconciler, "run", breaks)

    async def life(app: App) -> None:
        supervisor = app.engine.supervisor
        await asyncio.sleep(10)
        assert len(runs) == 3
        assert supervisor.restarts == {"reconciler": 2}
        assert supervisor.unsteady() == {"reconciler": "ZeroDivisionError: "}
        await asyncio.sleep(MINUTE)
        assert supervisor.unsteady() == {}

    world.run(life)
