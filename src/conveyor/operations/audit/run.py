"""Runs the audit over a system, whether or not it is moving.

Looks go through the orders page by page, side by side, each page in a short transaction of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

from conveyor.checks import Check, Comparison, Examination, Examined, Finding, Page, PageCheck
from conveyor.checks.finding import together
from conveyor.checks.pages import pages_of
from conveyor.core.reconciler import LONGEST_MS, LOST_MS
from conveyor.core.transaction import Tx
from conveyor.extension import PAYMENTS
from conveyor.operations.audit.judging import Belongings, ByRules
from conveyor.operations.audit.ledgers import Ledgers, ledgers_of
from conveyor.operations.audit.money import BooksAndProvider
from conveyor.operations.audit.ordered import AsOrdered
from conveyor.operations.audit.overdue import check_overdue
from conveyor.operations.audit.owing import Owing
from conveyor.operations.audit.report import AuditReport
from conveyor.operations.audit.system_checks import CHECKS
from conveyor.system.composition import App

# Twice what the reconciler waits before it sends a token again that no queue hides, and any.
STUCK_MS = 2 * LOST_MS
LOST_FOR_SURE_MS = 2 * LONGEST_MS


async def run_audit(app: App) -> AuditReport:
    """Check every invariant that data at rest can show; orders in motion raise no false alarm."""
    examined = Examined(app.parts.database)
    now = app.parts.ambient.now_ms()
    registry, extensions = app.engine.registry, app.installed.extensions
    examination = Examination(registry.flows, now)
    by_rules = ByRules(registry.flows, _lost_before(app, now))
    belongings = Belongings([table for it in extensions for table in it.belongings])
    bodies = [AsOrdered(), *(look for it in extensions for look in it.page_checks(examination))]
    together_on_a_page: list[list[PageCheck]] = [[by_rules, Owing(registry)], [belongings], bodies]
    looks = [look for group in together_on_a_page for look in group]
    comparisons: list[Comparison] = [
        BooksAndProvider(_ledgers(app)),
        *(each for it in extensions for each in it.comparisons(app.running, examination)),
    ]
    pages = await examined.read(pages_of)
    await _side_by_side(
        *(_go_through(examined, group, pages, now) for group in together_on_a_page),
        *(comparison.go_through(examined, pages) for comparison in comparisons),
    )
    findings = [finding for look in looks for finding in look.findings]
    findings += [finding for comparison in comparisons for finding in comparison.findings]
    for check in (*CHECKS, *(check for it in extensions for check in it.checks())):
        findings += await examined.read(partial(_check, check, examination))
    findings.append(await check_overdue(app.engine, now - STUCK_MS))
    findings = sorted(together(findings), key=lambda finding: finding.invariant)
    statuses = by_rules.statuses
    return AuditReport(now, statuses.total(), dict(statuses), findings)


def _ledgers(app: App) -> Ledgers:
    return ledgers_of(app.ports.bound(PAYMENTS), app.installed.callers(PAYMENTS))


async def _go_through(
    examined: Examined, looks: Sequence[PageCheck], pages: Sequence[Page], now: int
) -> None:
    for page in pages:
        await examined.read(partial(_take, looks, page, now))


def _take(looks: Sequence[PageCheck], page: Page, now: int, tx: Tx) -> None:
    for look in looks:
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


def _lost_before(app: App, now: int) -> int:
    """Judge lost tokens only where the reconciler has had its time: else nobody is to blame."""
    since, before = app.reconciling_since, now - LOST_FOR_SURE_MS
    return before if since is not None and since < before else 0
