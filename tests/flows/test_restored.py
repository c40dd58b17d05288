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
from conveyor.operations.audit import run_audit
from conveyor.operations.dead_letters import list_poison
from conveyor.operations.refunds import refund
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine


def back_up(database: Path, backup: Path) -> None:
    with closing(sqlite3.connect(database)) as now, closing(sqlite3.connect(backup)) as then:
        now.backup(then)


def put_back(backup: Path, database: Path) -> None:
    for file in database.parent.glob(f"{database.name}*"):
        if file.suffix != ".lock":
            file.unlink()
    shutil.copy(backup, database)


def test_a_refund_that_a_backup_lacks_is_asked_for_again_and_made_once(tmp_path: Path) -> None:
    world = Machine(tmp_path, {"delivery_delay_seconds": 0})
    database, backup = tmp_path / "conveyor.db", tmp_path / "backup.db"
    orders: list[str] = []

    async def have_refunded(app: App) -> None:
        await refund(app.engine, orders[0], None, "arrived broken")
        await asyncio.sleep(60)
        assert await status_of(app, orders[0]) == "refunded"

    async def before(app: App) -> None:
        orders.append(await place(app, ORDER))
        await asyncio.sleep(60)
        back_up(database, backup)
        await have_refunded(app)

    async def after(app: App) -> None:
        assert await status_of(app, orders[0]) == "completed"
        assert "books_equal_provider" in {
            it.name for it in (await run_audit(app)).findings if it.violations
        }
        await have_refunded(app)
        assert (await run_audit(app)).clean

    world.run(before)
    put_back(backup, database)
    world.run(after)


def test_tokens_of_orders_that_a_backup_lacks_are_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = Machine(tmp_path)
    database, backup = tmp_path / "conveyor.db", tmp_path / "backup.db"
    orders: list[str] = []

    async def before(app: App) -> None:
        orders.append(await place(app, ORDER))
        await asyncio.sleep(60)
        back_up(database, backup)
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
    put_back(backup, database)
    with caplog.at_level(logging.WARNING):
        world.run(after)
    [said] = [r.getMessage() for r in caplog.records if "its token is dropped" in r.getMessage()]
    assert orders[1] in said
