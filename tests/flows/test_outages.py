"""The queue service, or the database, is away for a while: nothing ends, and orders go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from tests.examples.stories import place, status_of
from tests.flows.machines import machine_of

from conveyor.core.errors import DatabaseUnavailableError, QueueUnavailableError
from conveyor.system.composition import App
from conveyor.testing.tokens import check_tokens

OUTAGE_SECONDS = 60.0
AFTERWARDS_SECONDS = 400.0
ORDER = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1}],
    "total": 1_177,
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US"},
}


class Away:
    """Queues that can be told not to answer."""

    def __init__(self, queues: Any) -> None:
        self._queues = queues
        self.away = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queues, name)

    def queue(self, name: str) -> Any:
        return _Queue(self._queues.queue(name), self)


class _Queue:
    def __init__(self, queue: Any, queues: Away) -> None:
        self._queue, self._queues = queue, queues

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._queue, name)
        if name not in {"send", "receive", "delete", "set_visibility", "depth"}:
            return attribute

        async def call(*args: Any) -> Any:
            if self._queues.away:
                raise QueueUnavailableError(self._queue.spec.name, "it is away")
            return await attribute(*args)

        return call


@contextmanager
def database_away(app: App) -> Iterator[None]:
    """Let every transaction fail meanwhile."""
    database: Any = app.parts.database
    run, read = database.run, database.read

    async def fail(_work: object) -> NoReturn:
        raise DatabaseUnavailableError("the database", "it is away")

    database.run = database.read = fail
    try:
        yield
    finally:
        database.run, database.read = run, read


@pytest.mark.parametrize("after_seconds", [0.0, 0.5, 1.5, 2.5])
def test_orders_are_taken_while_the_queues_are_away(tmp_path: Path, after_seconds: float) -> None:
    world = machine_of("shop", tmp_path, {"payment_latency_seconds": 1.0})
    world.wrap_queues = Away

    async def life(app: App) -> None:
        queues: Any = app.parts.queues
        before = await place(app, ORDER)
        await asyncio.sleep(after_seconds)
        queues.away = True
        meanwhile = await place(app, ORDER)
        await asyncio.sleep(OUTAGE_SECONDS)
        queues.away = False
        await asyncio.sleep(AFTERWARDS_SECONDS)
        assert [await status_of(app, i) for i in (before, meanwhile)] == ["completed"] * 2

    world.run(life)
    check_tokens(world.directory)


@pytest.mark.parametrize("after_seconds", [0.0, 0.5, 1.5, 2.5])
def test_work_goes_on_when_the_database_is_back(tmp_path: Path, after_seconds: float) -> None:
    world = machine_of("shop", tmp_path, {"payment_latency_seconds": 1.0})

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await asyncio.sleep(after_seconds)
        with database_away(app):
            with pytest.raises(DatabaseUnavailableError):
                await place(app, ORDER)
            await asyncio.sleep(OUTAGE_SECONDS)
        await asyncio.sleep(AFTERWARDS_SECONDS)
        assert await status_of(app, order_id) == "completed"

    world.run(life)
    check_tokens(world.directory)
