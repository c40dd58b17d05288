"""An order is one trace, from its placing to its end, however long that takes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.examples.stories import MERCHANT, ORDER, order_of, place, status_of
from tests.flows.provider_driver import Troubles, refuse
from tests.servers.collector import Collector, Span, collecting, whole

from conveyor.adapters.otel import OtelTracer
from conveyor.core.interventions import redrive
from conveyor.core.queue import Outgoing
from conveyor.core.tracing import TRACEPARENT, trace_id_of
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.system.composition import App
from conveyor.testing.each_queue import EachQueue
from conveyor.testing.virtual import Machine

DAY = timedelta(days=1).total_seconds()
MINUTE = 60.0
BY_QUEUE: dict[str, Any] = {"ride_on": False}
BATCH = 20


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


class Noting:
    """A queue that notes what is sent to it."""

    def __init__(self, queue: Any, sent: list[str]) -> None:
        self._queue, self._sent = queue, sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def send(self, messages: Sequence[Outgoing]) -> Any:
        self._sent.extend(it.body for it in messages)
        return await self._queue.send(messages)


def names(spans: list[Span]) -> list[str]:
    return [it.name for it in spans]


def traced(world: Machine) -> OtelTracer:
    """Let each process of this machine tell what it does."""
    world.tracer = tracer = OtelTracer()
    return tracer


async def parks(app: App) -> str:
    order_id = await place(app, ORDER)
    await asyncio.sleep(10 * MINUTE)
    assert await status_of(app, order_id) == "parked"
    return order_id


async def is_redriven(app: App, order_id: str) -> None:
    registry, now = app.engine.registry, app.engine.now()
    await app.engine.relay.commit(lambda tx: redrive(tx, registry, order_id, now))
    await asyncio.sleep(10 * MINUTE)
    assert await status_of(app, order_id) == "awaiting"


async def is_delivered(app: App, order_id: str) -> str:
    await asyncio.sleep(4 * DAY)
    order = await order_of(app, order_id)
    assert order.status == "completed"
    return trace_id_of(order.traceparent)


def test_days_of_waiting_other_processes_and_a_redrive_are_one_trace(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"delivery_delay_seconds": 3 * DAY, "max_receives": 2}
    world = Machine(tmp_path, BY_QUEUE | settings)
    world.paced = True
    tracer = traced(world)
    Troubles("capture", refuse(), refuse()).of_payments(monkeypatch)

    order_id = world.run(parks)
    world.run(lambda app: is_redriven(app, order_id))
    trace_id = world.run(lambda app: is_delivered(app, order_id))
    asyncio.run(tracer.close())

    spans = collector.of_order(order_id)
    captures = [it for it in spans if it.name == "payments.capture"]
    failed = [it for it in captures if it.failed]
    assert collector.traces()[order_id] == {trace_id}
    assert whole(collector.of_trace(trace_id))
    assert [it.outcome for it in captures] == ["fault", "fault", "done"]
    assert [it.attributes["conveyor.try"] for it in failed] == [1, 2]
    assert all("NotAppliedError" in it.says for it in failed)
    assert names(spans).count("call payments.capture") == 3
    assert {"place order", "parked", "redriven", "shipping.ship", "completed"} <= set(names(spans))


def test_a_batch_is_linked_to_each_of_its_orders(tmp_path: Path, collector: Collector) -> None:
    world = Machine(tmp_path, BY_QUEUE)
    tracer = traced(world)

    async def life(app: App) -> list[str]:
        ids = await asyncio.gather(*(place(app, ORDER) for _ in range(BATCH)))
        await asyncio.sleep(10 * MINUTE)
        return list(ids)

    ids = world.run(life)
    asyncio.run(tracer.close())

    of_orders = {one: it for one, traces in collector.traces().items() for it in traces}
    assert set(of_orders) == set(ids)
    assert len(set(of_orders.values())) == BATCH
    for operation in ("send", "receive"):
        batches = [
            it for it in collector.spans if it.name == f"{operation} payments" and len(it.links) > 1
        ]
        assert batches
        for it in batches:
            assert it.attributes["messaging.operation.type"] == operation
            assert it.attributes["messaging.batch.message_count"] == len(it.links)
            assert set(it.links) <= set(of_orders.values())
            assert it.trace_id not in of_orders.values()


def test_a_message_carries_where_it_was_sent(tmp_path: Path, collector: Collector) -> None:
    world = Machine(tmp_path, BY_QUEUE)
    tracer = traced(world)

    async def life(app: App) -> str:
        order_id = await place(app, ORDER)
        await asyncio.sleep(MINUTE)
        return order_id

    order_id = world.run(life)
    asyncio.run(tracer.close())

    step = next(it for it in collector.of_order(order_id) if it.name == "payments.authorize")
    sent = next(it for it in collector.spans if it.span_id == step.parent)
    placed = next(it for it in collector.of_order(order_id) if it.name == "place order")
    assert (sent.name, sent.kind, sent.parent) == ("send payments", "producer", placed.span_id)
    assert step.kind == "consumer"
    assert step.attributes.items() >= {
        ("messaging.system", "conveyor"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "payments"),
        ("conveyor.flow", "shop@1"),
        ("conveyor.step", "payments.authorize"),
        ("conveyor.outcome", "done"),
    }
    assert step.attributes["messaging.message.id"]


def test_nothing_is_carried_where_nobody_asks(tmp_path: Path) -> None:
    world = Machine(tmp_path, BY_QUEUE)

    async def life(app: App) -> str | None:
        order_id = await place(app, ORDER)
        await asyncio.sleep(MINUTE)
        return (await order_of(app, order_id)).traceparent

    sent: list[str] = []
    world.wrap_queues = lambda queues: EachQueue(queues, lambda queue: Noting(queue, sent))
    assert world.run(life) is None
    assert sent
    assert not any(TRACEPARENT in it for it in sent)


def test_an_order_of_the_intake_is_in_the_trace_of_whoever_sent_it(
    tmp_path: Path, collector: Collector
) -> None:
    world = Machine(tmp_path)
    tracer = traced(world)
    trace_id, sender = "c" * 32, "d" * 16
    attributes = ((TRACEPARENT, f"00-{trace_id}-{sender}-01"),)

    async def life(app: App) -> None:
        await app.parts.database.run(lambda tx: set_stock(tx, MERCHANT, "CD", 1_000))
        body = orjson.dumps(ORDER).decode()
        await app.parts.queues.queue("intake").send([Outgoing(body, attributes=attributes)])
        await asyncio.sleep(MINUTE)

    world.run(life)
    asyncio.run(tracer.close())
    spans = collector.of_trace(trace_id)
    assert {"place order", "payments.authorize", "completed"} <= set(names(spans))
    assert whole(spans, sender)


def test_what_was_placed_before_there_were_traces_goes_on_without(
    tmp_path: Path, collector: Collector
) -> None:
    world = Machine(tmp_path, BY_QUEUE | {"delivery_delay_seconds": 5 * MINUTE})

    async def before(app: App) -> str:
        order_id = await place(app, ORDER)
        await asyncio.sleep(MINUTE)
        return order_id

    order_id = world.run(before)
    tracer = traced(world)

    async def after(app: App) -> str:
        await asyncio.sleep(10 * MINUTE)
        await app.parts.database.run(lambda tx: set_stock(tx, MERCHANT, "CD", 1))
        return await status_of(app, order_id)

    assert world.run(after) == "completed"
    asyncio.run(tracer.close())
    assert collector.of_order(order_id) == []
