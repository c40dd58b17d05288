"""Whoever takes the spans may break: what has committed stands all the same, and is done once."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.examples.stories import MERCHANT, ORDER

from conveyor.commerce.orders.model import OrderBody
from conveyor.commerce.orders.order_filter import EVERYTHING
from conveyor.commerce.orders.placement import Placed
from conveyor.commerce.orders.search import search
from conveyor.core.order_status import OrderStatus
from conveyor.core.tracing import Span, SpanContext
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.operations.audit import run_audit
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

SECONDS = 120.0


class Broken:
    """Raises whenever it is given a span."""

    def __init__(self) -> None:
        self.given = 0

    def new_context(self, parent: SpanContext | None) -> SpanContext:
        self.given += 1
        trace_id = parent.trace_id if parent else f"{self.given:032x}"
        return SpanContext(trace_id, f"{self.given:016x}")

    def take(self, span: Span) -> None:
        raise RuntimeError(f"{span.name} is not taken")

    def within(self, context: SpanContext) -> AbstractContextManager[None]:
        del context
        return nullcontext()

    async def flush(self, seconds: float) -> None:
        raise RuntimeError(f"nothing is sent within {seconds} s")

    async def close(self) -> None:
        """Have nothing to hand on."""


def test_an_order_without_a_key_is_placed_once_and_comes_to_its_end(tmp_path: Path) -> None:
    async def live(app: App) -> list[OrderStatus]:
        await app.parts.database.run(lambda tx: set_stock(tx, MERCHANT, "CD", 9))
        body = OrderBody.model_validate(ORDER)
        placed = await asyncio.gather(*(app.placement.place(MERCHANT, "", body) for _ in range(3)))
        assert all(isinstance(it, Placed) for it in placed), placed
        await asyncio.sleep(SECONDS)
        found = await app.parts.database.read(
            lambda tx: search(tx, EVERYTHING, sees=None, limit=10)
        )
        return [it.status for it in found]

    machine = Machine(tmp_path, {"delivery_delay_seconds": 1.0})
    machine.tracer = Broken()
    assert machine.run(live) == [OrderStatus.COMPLETED] * 3
    assert machine.run(run_audit).clean
