"""The audit finds what it says that it looks for: each lie is told to the database itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.flows.renewals import live_on, make_plan, subscribe

from conveyor.operations.audit import run_audit
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

LIES = {
    "DELETE FROM renewals WHERE subscription = 'good'": "period_charged_once",
    "UPDATE renewals SET state = 'ended' WHERE subscription = 'good'": "extended_iff_charged",
    "UPDATE renewals SET state = 'extended' WHERE subscription = 'poor'": "extended_iff_charged",
    "UPDATE subscriptions SET due_at = NULL WHERE id = 'good'": "no_subscription_forgotten",
    "UPDATE subscriptions SET due_at = 1 WHERE id = 'poor'": "no_subscription_forgotten",
    "UPDATE subscriptions SET paid_until = 0 WHERE id = 'good'": "paid_until_agrees",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_found(tmp_path: Path, lie: str) -> None:
    world = Machine(tmp_path / "world")

    async def first(app: App) -> None:
        await make_plan(app)
        await subscribe(app, [("good", "card_ok"), ("poor", "card_declined")])

    async def found(app: App) -> set[str]:
        report = await run_audit(app)
        return {one.name for one in report.findings if one.violations}

    live_on(world, 0, first)
    with closing(sqlite3.connect(world.directory / "conveyor.db")) as db, db:
        db.execute(lie)
    world.settings = world.settings.model_copy(update={"renewal_scan_seconds": 0.0})
    assert LIES[lie] in world.run(found)
