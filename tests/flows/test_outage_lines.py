"""While the database or the queues are away the log says so once, and once that they are back."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.examples.stories import place, status_of
from tests.flows.test_outages import AFTERWARDS_SECONDS, ORDER, OUTAGE_SECONDS, Away, database_away

from conveyor.core.errors import DatabaseUnavailableError
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.opening import open_app
from conveyor.testing.virtual import Machine

GLANCE_SECONDS = 0.01
PATIENCE_SECONDS = 60.0


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Give what was said of whom, and see that no traceback was among it."""
    assert [record for record in caplog.records if record.exc_info] == []
    return [
        (vars(record)["event"], vars(record)["dependency"])
        for record in caplog.records
        if vars(record).get("event") in {"away", "back"}
    ]


def test_of_the_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="conveyor")

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        with database_away(app):
            with pytest.raises(DatabaseUnavailableError):
                await place(app, ORDER)
            await asyncio.sleep(OUTAGE_SECONDS)
        await asyncio.sleep(AFTERWARDS_SECONDS)
        assert await status_of(app, order_id) == "completed"

    Machine(tmp_path, {"payment_latency_seconds": 1.0}).run(life)
    of_ours = [it for it in told(caplog) if it[1] != "the simulated carrier's ledger"]
    assert of_ours == [("away", "the database"), ("back", "the database")]
    seconds = [vars(it)["seconds"] for it in caplog.records if vars(it).get("event") == "back"]
    assert OUTAGE_SECONDS - 5 < max(seconds) < OUTAGE_SECONDS + 15


def test_of_a_process_that_only_answers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It receives nothing, and so nobody waits at its gate."""

    async def until(count: int) -> None:
        while len(told(caplog)) < count:  # noqa: ASYNC110 - of a log nobody is told
            await asyncio.sleep(GLANCE_SECONDS)

    async def main() -> None:
        app, stop = await open_app(Settings(data=tmp_path)), asyncio.Event()
        running = asyncio.create_task(app.run((), stop))
        with database_away(app):
            await until(1)
        await until(2)
        stop.set()
        await running
        await app.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_SECONDS))
    assert told(caplog) == [("away", "the database"), ("back", "the database")]


def test_of_the_queues(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="conveyor")
    world = Machine(tmp_path, {"payment_latency_seconds": 1.0})
    world.wrap_queues = Away

    async def life(app: App) -> None:
        queues: Any = app.parts.queues
        first = await place(app, ORDER)
        queues.away = True
        second = await place(app, ORDER)
        await asyncio.sleep(OUTAGE_SECONDS)
        queues.away = False
        await asyncio.sleep(AFTERWARDS_SECONDS)
        assert [await status_of(app, i) for i in (first, second)] == ["completed"] * 2

    world.run(life)
    assert told(caplog) == [("away", "the queue service"), ("back", "the queue service")]
