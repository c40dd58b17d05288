"""After a restore from a backup, what it lacks is gone: nobody is asked to do anything about it."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.examples.stories import ORDER, place, status_of

from conveyor.core.taking_tokens import ORPHAN_SECONDS
from conveyor.operations.dead_letters import list_poison
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine


def test_tokens_of_orders_that_a_backup_lacks_are_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = Machine(tmp_path)
    database, backup = tmp_path / "conveyor.db", tmp_path / "backup.db"
    orders: list[str] = []

    async def before(app: App) -> None:
        orders.append(await place(app, ORDER))
        await asyncio.sleep(60)
        with closing(sqlite3.connect(database)) as now, closing(sqlite3.connect(backup)) as then:
            now.backup(then)
        orders.append(await place(app, ORDER | {"payment": {"method": "card_down"}}))
        await asyncio.sleep(10)
        assert await status_of(app, orders[1]) == "processing"

    async def after(app: App) -> None:
        await asyncio.sleep(5 * ORPHAN_SECONDS)
        assert await status_of(app, orders[0]) == "completed"
        assert app.engine.tally["orphaned", "payments"] == 1
        assert app.engine.tally["poisoned", "payments"] == 0
        assert await list_poison(app.engine) == []
        assert (await app.parts.queues.queue("payments").depth()).total == 0

    world.run(before)
    for file in tmp_path.glob("conveyor.db*"):
        if file.suffix != ".lock":
            file.unlink()
    shutil.copy(backup, database)
    with caplog.at_level(logging.WARNING):
        world.run(after)
    [said] = [r.getMessage() for r in caplog.records if "its token is dropped" in r.getMessage()]
    assert orders[1] in said
