"""Subscriptions on virtual time: what tests of renewals do and look at."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from conveyor.core.order_status import OrderStatus
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.flows.renewal.subscriptions import store
from conveyor.flows.renewal.subscriptions.beginning import NewSubscription
from conveyor.flows.renewal.subscriptions.changes import Begun, Changes
from conveyor.flows.renewal.subscriptions.due import Run, count_due
from conveyor.flows.renewal.subscriptions.model import Plan, Subscription
from conveyor.operations.audit import run_audit
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_goods
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import Machine

MERCHANT = "default"
PLAN = Plan(MERCHANT, "monthly", 999, "USD")
DAY = 86_400
PATIENCE_SECONDS = 3600

Life = Callable[[App], Coroutine[Any, Any, Any]]


async def make_plan(app: App, plan: Plan = PLAN, **changed: Any) -> Plan:
    """Make a plan, or change it."""
    plan = replace(plan, **changed)
    assert await Changes(app.engine).set_plan(plan) is None
    return plan


async def subscribe(app: App, cards: Iterable[tuple[str, str]], **wish: str) -> None:
    """Begin subscriptions, each given by its name and card; those that are there stay."""
    wishes = [
        NewSubscription(
            **{"id": name, "customer": f"c-{name}", "plan": PLAN.id, "card": card, **wish}
        )
        for name, card in cards
    ]
    begun = await Changes(app.engine).begin(MERCHANT, wishes)
    assert isinstance(begun, Begun), begun


async def find(app: App, name: str) -> Subscription:
    found = await app.parts.database.read(lambda tx: store.find(tx, MERCHANT, [name]))
    return found[name]


async def until_quiet(app: App) -> None:
    """Wait until nothing is due but what is behind, and what is under way has ended or awaits."""

    def busy(tx: Tx) -> int:
        now = app.parts.ambient.now_ms()
        moving = sa.select(sa.func.count()).where(
            orders.c.status.in_([OrderStatus.PROCESSING, OrderStatus.COMPENSATING])
        )
        due = count_due(tx, Run(MERCHANT, now), now).values()
        return int(tx.execute(moving).scalar_one()) + sum(count for count, _ in due)

    async with asyncio.timeout(PATIENCE_SECONDS):
        while await app.parts.database.read(busy):  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(1)
    await asyncio.sleep(60)  # whatever is still under way comes in


async def assert_clean(app: App) -> None:
    """Ask the audit."""
    report = await run_audit(app)
    broken = {f.name: f.examples for f in report.findings if f.violations}
    assert not broken, broken


def live_on(world: Machine, day: float, life: Life | None = None) -> Any:
    """Start the system on that day, after a time at which it was off, and let it come to rest."""
    world.elapsed = max(world.elapsed, day * DAY)

    async def live(app: App) -> Any:
        given = await life(app) if life else None
        await until_quiet(app)
        await assert_clean(app)
        return given

    given = world.run(live)
    check_tokens(world.directory)
    check_goods(world.directory)
    return given


def charges(directory: Path) -> dict[str, list[tuple[int, str]]]:
    """Give what the provider was asked, by subscription: the day, and what it did or why not."""
    query = """
        SELECT json_extract(body, '$.subscription'), operation, asked.reason, at
        FROM conveyor.orders JOIN provider_operations AS asked ON order_id = orders.id ORDER BY at
    """
    found: dict[str, list[tuple[int, str]]] = {}
    with closing(sqlite3.connect(directory / "provider.db")) as db:
        db.execute("ATTACH ? AS conveyor", (str(directory / "conveyor.db"),))
        (first,) = db.execute("SELECT min(created_at) FROM conveyor.subscriptions").fetchone()
        for name, operation, reason, at in db.execute(query):
            day = (at - first) // (DAY * 1000)
            found.setdefault(name, []).append((day, reason or operation))
    return found


def states(directory: Path) -> dict[str, tuple[str, int]]:
    """Give status and number of the next period of each subscription."""
    with closing(sqlite3.connect(directory / "conveyor.db")) as db:
        rows = db.execute("SELECT id, status, period FROM subscriptions")
        return {name: (status, period) for name, status, period in rows}
