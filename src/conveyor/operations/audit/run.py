"""Runs the audit over a system, whether or not it is moving.

Pages of orders are looked at by processes of their own where they are many; meanwhile what is ours
is compared with what providers say.
"""

from __future__ import annotations

import logging
from functools import partial

from conveyor.checks import Check, Comparison, Examination, Examined, Finding
from conveyor.checks.finding import together
from conveyor.checks.pages import pages_of
from conveyor.core.reconciler import LONGEST_MS, LOST_MS
from conveyor.core.transaction import Tx
from conveyor.extension import PAYMENTS
from conveyor.operations.audit.apart import ApartError, look_apart, processes_for
from conveyor.operations.audit.ledgers import Ledgers, ledgers_of
from conveyor.operations.audit.money import BooksAndProvider
from conveyor.operations.audit.overdue import check_overdue
from conveyor.operations.audit.page_looks import Examinees, Found, look_here
from conveyor.operations.audit.report import AuditReport
from conveyor.operations.audit.side_by_side import side_by_side
from conveyor.operations.audit.system_checks import CHECKS
from conveyor.system.composition import App

log = logging.getLogger(__name__)

# Twice what the reconciler waits before it sends a token again that no queue hides, and any.
STUCK_MS = 2 * LOST_MS
LOST_FOR_SURE_MS = 2 * LONGEST_MS


async def run_audit(app: App) -> AuditReport:
    """Check every invariant that data at rest can show; orders in motion raise no false alarm."""
    examined = await _examined(app)
    now = app.parts.ambient.now_ms()
    extensions = app.installed.extensions
    examination = Examination(app.engine.registry.flows, now)
    comparisons: list[Comparison] = [
        BooksAndProvider(_ledgers(app)),
        *(each for it in extensions for each in it.comparisons(app.running, examination)),
    ]
    pages = await examined.read(pages_of)
    looked: Found
    looked, *_ = await side_by_side(
        _look(app, examined, Examinees(app.settings, pages, now, _lost_before(app, now))),
        *(comparison.go_through(examined, pages) for comparison in comparisons),
    )
    findings = list(looked.findings)
    findings += [finding for comparison in comparisons for finding in comparison.findings]
    for check in (*CHECKS, *(check for it in extensions for check in it.checks())):
        findings += await examined.read(partial(_check, check, examination))
    findings.append(await check_overdue(app.engine, now - STUCK_MS))
    findings = sorted(together(findings), key=lambda finding: finding.invariant)
    return AuditReport(now, sum(looked.statuses.values()), looked.statuses, findings)


async def _examined(app: App) -> Examined:
    """Give what is looked at; a replica has all by then that was committed before it was asked."""
    primary, replica = app.parts.database, app.parts.replica
    if replica is None:
        return Examined(primary)
    await replica.catch_up(primary)
    return Examined(replica, primary)


def _ledgers(app: App) -> Ledgers:
    return ledgers_of(app.ports.bound(PAYMENTS), app.installed.callers(PAYMENTS))


async def _look(app: App, examined: Examined, examinees: Examinees) -> Found:
    """Look at pages, by other processes where that is worth it and they can open the database."""
    processes = processes_for(examinees.pages) if app.parts.is_named else 0
    if processes:
        try:
            return await look_apart(examinees, processes)
        except ApartError:
            log.exception("the audit goes on in this process, which takes longer")
    return await look_here(app.installed, examined, examinees)


def _check(check: Check, examination: Examination, tx: Tx) -> list[Finding]:
    return list(check(tx, examination))


def _lost_before(app: App, now: int) -> int:
    """Judge lost tokens only where the reconciler has had its time: else nobody is to blame."""
    since, before = app.reconciling_since, now - LOST_FOR_SURE_MS
    return before if since is not None and since < before else 0
