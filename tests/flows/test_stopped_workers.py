"""The workers of one service are stopped: what waits for them does not multiply."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.examples.stories import ORDER, place, status_of
from tests.flows.meals import assert_clean

from conveyor.core.consumer import Consumer
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

MANY = 50
HALF_AN_HOUR = 1800.0


def test_orders_wait_for_a_stopped_service_and_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Consumer.run
    started = asyncio.Event()

    async def later(self: Consumer, stop: asyncio.Event) -> None:
        if self.name == "payments":
            await started.wait()
        await run(self, stop)

    monkeypatch.setattr(Consumer, "run", later)

    async def life(app: App) -> None:
        placed = [await place(app, ORDER) for _ in range(MANY)]
        await asyncio.sleep(HALF_AN_HOUR)
        assert (await app.parts.queues.queue("payments").depth()).total == MANY
        await assert_clean(app)
        started.set()
        await asyncio.sleep(60)
        assert {await status_of(app, one) for one in placed} == {"completed"}
        await assert_clean(app)

    Machine(tmp_path).run(life)
