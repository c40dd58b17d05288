"""A message of the intake queue is one order, however often it is sent or redriven."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.flows.test_long_outages import INTAKE_BODY, stock
from tests.flows.test_outages import ORDER, Away

from conveyor.commerce.orders.placement import DEFAULT_FLOW, request_for
from conveyor.core.errors import QueueUnavailableError, UnknownFlowError
from conveyor.core.queue import Outgoing
from conveyor.operations.dead_letters import list_poison, redrive_poison
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine


class Unanswered(Away):
    """Queues of which one does as it is told once, and does not say so."""

    def __init__(self, queues: Any, name: str, method: str) -> None:
        super().__init__(queues)
        self.name, self.method, self.silent = name, method, 1

    def queue(self, name: str) -> Any:
        queue = super().queue(name)
        return _Silent(queue, self) if name == self.name else queue


class _Silent:
    def __init__(self, queue: Any, queues: Unanswered) -> None:
        self._queue, self._queues = queue, queues

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._queue, name)
        if name != self._queues.method:
            return attribute

        async def call(*args: Any) -> Any:
            if self._queues.silent:
                self._queues.silent -= 1
                raise QueueUnavailableError(self._queues.name, "no answer")
            return await attribute(*args)

        return call


def test_a_message_that_is_redriven_twice_is_one_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Machine(tmp_path)
    world.wrap_queues = lambda queues: Unanswered(queues, "intake-dead", "delete")

    async def life(app: App) -> None:
        await stock(app)
        registry = app.engine.registry

        def missing(name: str) -> Any:
            raise UnknownFlowError(name, ())

        with monkeypatch.context() as without:
            without.setattr(registry, "newest", missing)
            await app.parts.queues.queue("intake").send([Outgoing(INTAKE_BODY)])
            await asyncio.sleep(30)
        [dead] = await list_poison(app.engine)
        with pytest.raises(QueueUnavailableError):
            await redrive_poison(app.engine, dead.message_id)
        await asyncio.sleep(5)
        assert await redrive_poison(app.engine, dead.message_id) is not None
        await asyncio.sleep(60)
        assert app.engine.tally["handled", "orders"] == 1
        assert await list_poison(app.engine) == []

    world.run(life)


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        (INTAKE_BODY, (("idempotency-key", "k"),)),
        (orjson.dumps(orjson.loads(INTAKE_BODY) | {"idempotencyKey": "k"}).decode(), ()),
    ],
)
def test_messages_with_one_key_are_one_order(
    tmp_path: Path, body: str, attributes: tuple[tuple[str, str], ...]
) -> None:
    world = Machine(tmp_path)

    async def life(app: App) -> None:
        await stock(app)
        message = Outgoing(body, attributes=attributes)
        await app.parts.queues.queue("intake").send([message, message])
        await asyncio.sleep(60)
        assert app.engine.tally["handled", "orders"] == 1
        assert await list_poison(app.engine) == []

    world.run(life)


def test_the_flow_is_in_the_fingerprint_though_it_is_its_body_s_default(tmp_path: Path) -> None:
    world = Machine(tmp_path)

    async def life(app: App) -> None:
        plain = app.installed.bodies.read(ORDER)

        class Other(type(plain)):  # type: ignore[misc]
            flow: str = "other"

        other = Other.model_validate(ORDER)
        [flow] = [f for f in app.installed.flows if f.name == DEFAULT_FLOW][:1]
        prints = {request_for("x", "m", "k", body, flow).fingerprint for body in (plain, other)}
        assert len(prints) == 2

    world.run(life)
