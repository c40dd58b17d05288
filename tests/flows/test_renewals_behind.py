"""What is practically over is not charged by itself: after a wrong clock, or with dates of old."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.flows.machines import machine_of
from tests.flows.renewals import DAY, MERCHANT, assert_clean, find, make_plan, states, subscribe

from conveyor.adapters.steady_clock import LASTING_SECONDS
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.flows.renewal.scan import Scan
from conveyor.flows.renewal.subscriptions.changes import Changes
from conveyor.flows.renewal.subscriptions.due import Run, count_behind
from conveyor.flows.renewal.subscriptions.model import SubscriptionStatus
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_goods
from conveyor.testing.loop import LoopClock

SCANS = {"renewal_scan_seconds": 10.0}
YEAR = 365 * DAY
A_WHILE = 60


def charged(directory: Path) -> int:
    query = "SELECT count(*) FROM provider_operations WHERE operation = 'charge' AND approved"
    with closing(sqlite3.connect(directory / "provider.db")) as db:
        (count,) = db.execute(query).fetchone()
    return int(count)


async def behind(app: App) -> int:
    now = app.parts.ambient.now_ms()
    return await app.parts.database.read(lambda tx: count_behind(tx, MERCHANT, now))


async def catch_up(app: App) -> int:
    """Run as an operator does: request after request, until nothing is left to start."""
    run = Run(MERCHANT, app.parts.ambient.now_ms(), catch_up=True)
    started = 0
    for _ in range(5):
        started += (await Scan(app.engine).some(run)).started
        await asyncio.sleep(A_WHILE)
    return started


def unsettle(tx: Tx) -> None:
    tx.execute(sa.update(orders).values(settled_at=None))


def a_year_ago(app: App) -> dict[str, str]:
    until = datetime.fromtimestamp(app.parts.ambient.now_ms() / 1000 - YEAR, UTC).date()
    return {"starts": f"{until}", "paid_until": f"{until}"}


@pytest.mark.parametrize("ahead", [40 * DAY, 100 * DAY, YEAR])
def test_a_clock_that_is_ahead_charges_one_period_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    right, wrong = LoopClock.now_ms, {"ms": 0}
    monkeypatch.setattr(LoopClock, "now_ms", lambda self: right(self) + wrong["ms"])
    world = machine_of("renewal", tmp_path, SCANS)

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("s", "card_ok")])
        await asyncio.sleep(A_WHILE)
        wrong["ms"] = ahead * 1000
        await asyncio.sleep(2 * LASTING_SECONDS)  # so that it is believed
        wrong["ms"] = 0
        await asyncio.sleep(2 * LASTING_SECONDS)
        await assert_clean(app)

    world.run(life)
    assert charged(world.directory) <= 2
    check_goods(world.directory)


def test_what_another_system_has_not_charged_for_a_year_waits_for_an_operator(
    tmp_path: Path,
) -> None:
    world = machine_of("renewal", tmp_path, SCANS)

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("old", "card_ok"), ("ended", "card_ok")], **a_year_ago(app))
        await subscribe(app, [("new", "card_ok")])
        await Changes(app.engine).cancel(MERCHANT, "ended")
        await asyncio.sleep(A_WHILE)
        assert await behind(app) == 1
        for runs in (1, 2):
            assert await catch_up(app) == 1
            assert (await find(app, "old")).period == runs
        assert await behind(app) == 1
        await assert_clean(app)

    world.run(life)
    assert charged(world.directory) == 3
    assert states(world.directory)["new"] == (SubscriptionStatus.ACTIVE, 1)
    assert states(world.directory)["ended"][0] == SubscriptionStatus.CANCELLED


def test_no_run_charges_a_period_before_the_order_of_the_one_before_is_settled(
    tmp_path: Path,
) -> None:
    world = machine_of("renewal", tmp_path, SCANS)

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("old", "card_ok")], **a_year_ago(app))
        assert await catch_up(app) == 1
        await app.parts.database.run(unsettle)
        assert await catch_up(app) == 0

    world.run(life)
    assert charged(world.directory) == 1
