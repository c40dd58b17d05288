"""What has passed is read off the end of the timeline, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.servers.migrated import migrated_database
from tests.servers.postgres import Postgres

from conveyor.core import timeline
from conveyor.core.tables import orders
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Database, Tx
from conveyor.operations.overview.passing import LATE_MS, PAGE_LINES, WINDOW_MS, Passing
from conveyor.settings import Settings
from conveyor.system.backends import open_database
from conveyor.system.installation import installation
from conveyor.system.tables import migrate_all

NOW_MS = 1_800_000_000_000
PASSED = 50


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "sqlite":
        return Settings(data=tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    return Settings(data=tmp_path, database_url=migrated_database(server))


def test_only_what_is_new_is_read_whatever_numbers_are_missing(settings: Settings) -> None:
    async def story() -> list[int]:
        database, passing = open_database(settings), Passing()
        await migrate_all(database, installation(settings))
        await database.run(_place)
        await database.run(lambda tx: _pass(tx, NOW_MS - 2 * WINDOW_MS))
        await database.run(_skip_numbers)
        await database.run(lambda tx: _pass(tx, NOW_MS - WINDOW_MS // 2))
        counts = [await _count(passing, database, NOW_MS)]
        await database.run(_skip_numbers)
        await database.run(lambda tx: _pass(tx, NOW_MS))
        counts += [await _count(passing, database, NOW_MS + 1)]  # too fresh to be told
        counts += [await _count(passing, database, NOW_MS + LATE_MS)]
        await database.close()
        return counts

    assert asyncio.run(story()) == [PASSED, PASSED, 2 * PASSED]


async def _count(passing: Passing, database: Database, now_ms: int) -> int:
    await passing.read_on(database, now_ms)
    return sum(bucket.total() for bucket in passing.buckets.values())


def _place(tx: Tx) -> None:
    texts = {
        "merchant": "m", "flow": "shop@1", "reference": "", "customer": "c", "currency": "USD",
        "body": "{}", "ending": "", "reason": "", "group_key": "", "status": "processing",
    }  # fmt: skip
    numbers = dict.fromkeys(("total", "position", "expected_at", "stage", "sequence"), 0)
    times = {"placed_at": NOW_MS, "updated_at": NOW_MS}
    row = texts | numbers | times | {"id": "1", "version": 1, "cancelling": False}
    tx.execute(sa.insert(orders), row)


def _pass(tx: Tx, at_ms: int) -> None:
    for _ in range(PASSED):
        timeline.note(tx, "1", 1, at_ms, TimelineEvent.DONE, step="payments.authorize")


def _skip_numbers(tx: Tx) -> None:
    """Let numbers be given that no line has, as when many transactions fail: not on SQLite."""
    if tx.dialect == "postgresql":
        asked = "SELECT setval('timeline_id_seq', nextval('timeline_id_seq') + :many)"
        tx.execute(sa.text(asked), {"many": 3 * PAGE_LINES})
