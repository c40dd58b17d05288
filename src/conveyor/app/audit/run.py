"""Runs the audit over a system, whether or not it is moving.

Looks go through the orders page by page, side by side, each page in a short transaction of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

from conveyor.app.audit.books import read_ledger
from conveyor.app.audit.examined import Examined
from conveyor.app.audit.judging import Belongings, ByRules
from conveyor.app.audit.money import Comparison, Theirs
from conveyor.app.audit.ordered import AsOrdered
from conveyor.app.audit.overdue import check_overdue
from conveyor.app.audit.owing import Owing
from conveyor.app.audit.parcels import Parcels
from conveyor.app.audit.report import AuditReport
from conveyor.app.audit.whole import CHECKS
from conveyor.app.composition import App
from conveyor.checks import MAX_EXAMPLES, Check, Examination, Finding, Look, Page
from conveyor.checks.finding import together
from conveyor.checks.pages import pages_of
from conveyor.messaging.order import COMPLETED
from conveyor.messaging.reconciler import LONGEST_MS, LOST_MS
from conveyor.messaging.transaction import Tx
from conveyor.services.payments.ports import Statement

# Twice what the reconciler waits before it sends a token again that no queue hides, and any.
STUCK_MS = 2 * LOST_MS
LOST_FOR_SURE_MS = 2 * LONGEST_MS


async def run_audit(app: App) -> AuditReport:
    """Check every invariant that data at rest can show; orders in motion raise no false alarm."""
    examined = Examined(app.parts.database, app.parts.ledger)
    now = app.parts.ambient.now_ms()
    registry, extensions = app.engine.registry, app.installed.extensions
    examination = Examination(registry.flows, now)
    by_rules = ByRules(registry.flows, _lost_before(app, now))
    looks: list[Look] = [
        by_rules,
        Belongings([table for it in extensions for table in it.belongings]),
        AsOrdered(),
        Owing(registry),
        *(look for it in extensions for look in it.looks(examination)),
    ]
    books, parcels = Comparison(), Parcels()
    pages = await examined.ours(pages_of)
    await _side_by_side(
        *(_go_through(examined, look, pages, now) for look in looks),
        books.go_through(examined, pages, _theirs(app, examined)),
        *(() if app.bound.carrier else (parcels.go_through(examined, pages, now),)),
    )
    findings = [finding for look in looks for finding in look.findings]
    findings.append(books.finding)
    for check in (*CHECKS, *(check for it in extensions for check in it.checks())):
        findings += await examined.ours(partial(_check, check, examination))
    findings.append(await check_overdue(app.engine, now - STUCK_MS))
    if not app.bound.carrier:  # another's parcels are not within reach
        findings += [*parcels.findings, await _parcels(app, by_rules.statuses[COMPLETED])]
    findings = sorted(together(findings), key=lambda finding: finding.invariant)
    statuses = by_rules.statuses
    return AuditReport(now, statuses.total(), dict(statuses), findings)


def _theirs(app: App, examined: Examined) -> Theirs | None:
    """Give where the payment provider's side is read."""
    if app.bound.payments is None:
        return lambda page, _: examined.theirs(lambda tx: read_ledger(tx, page))
    provider = app.bound.payments.it
    if isinstance(provider, Statement):
        return lambda _, order_ids: provider.statement(order_ids)
    return None


async def _go_through(examined: Examined, look: Look, pages: Sequence[Page], now: int) -> None:
    for page in pages:
        await examined.ours(partial(_take, look, page, now))


def _take(look: Look, page: Page, now: int, tx: Tx) -> None:
    look.take(tx, page, now)


def _check(check: Check, examination: Examination, tx: Tx) -> list[Finding]:
    return list(check(tx, examination))


async def _side_by_side(*looks: Coroutine[Any, Any, None]) -> None:
    """Run all; where one raises the others are not gone on with."""
    tasks = [asyncio.create_task(look) for look in looks]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _parcels(app: App, completed: int) -> Finding:
    twice = await app.carrier.shipped_twice()
    return Finding(
        "shipped_once",
        1,
        "The carrier has at most one parcel of an order that is not lost",
        examined=completed,
        violations=len(twice),
        examples=twice[:MAX_EXAMPLES],
    )


def _lost_before(app: App, now: int) -> int:
    """Judge lost tokens only where the reconciler has had its time: else nobody is to blame."""
    since, before = app.reconciling_since, now - LOST_FOR_SURE_MS
    return before if since is not None and since < before else 0
