"""Runs the audit over a system, whether or not it is moving."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from conveyor.app.audit import whole
from conveyor.app.audit.bookings import check_bookings
from conveyor.app.audit.food import check_food
from conveyor.app.audit.money import Comparison
from conveyor.app.audit.ordered import AsOrdered
from conveyor.app.audit.overdue import check_overdue
from conveyor.app.audit.owing import Owing
from conveyor.app.audit.pages import Page, by_status, find_orphans, flows_of, judge, next_page
from conveyor.app.audit.parcels import Parcels
from conveyor.app.audit.report import MAX_EXAMPLES, AuditReport, Finding
from conveyor.app.audit.rules import Rule, order_rules
from conveyor.app.audit.slip_rules import slip_rules
from conveyor.app.audit.subscriptions import check_subscriptions
from conveyor.app.audit.view import FIRST_ID, View, build_view
from conveyor.app.audit.whose import check_whose
from conveyor.app.composition import App
from conveyor.messaging.order import COMPLETED
from conveyor.messaging.reconciler import LONGEST_MS, LOST_MS
from conveyor.messaging.routing_slip import Flow
from conveyor.messaging.transaction import Tx

# Twice what the reconciler waits before it sends a token again that no queue hides, and any.
STUCK_MS = 2 * LOST_MS
LOST_FOR_SURE_MS = 2 * LONGEST_MS

Check = Callable[[Tx], Iterable[Finding]]
"""What looks at tables whole, in a transaction of its own."""


@dataclass(slots=True)
class _Orders:
    """The part of the audit that goes order by order."""

    flows: Mapping[str, Flow]
    times: dict[str, int]
    closer: tuple[AsOrdered | Owing, ...]
    rules: dict[frozenset[str], tuple[View, list[Rule]]] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    orphans: Finding = field(
        default_factory=lambda: Finding(
            "belongs_to_an_order", 1, "Nothing is kept for an order that does not exist"
        )
    )

    def take_page(self, tx: Tx, after: str) -> Page:
        page = next_page(tx, after)
        self.statuses.update(by_status(tx, page))
        find_orphans(tx, page, self.orphans)
        for look in self.closer:
            look.take(tx, page, self.times["now"])
        for found in judge(tx, *self._rules_of(flows_of(tx, page)), page, self.times):
            before = self.findings.setdefault(found.name, found)
            if before is not found:
                before.add(found.examined, found.violations, found.examples)
        return page

    def _rules_of(self, keys: frozenset[str]) -> tuple[View, list[Rule]]:
        """Give the rules for a page of these flows: only their steps need be counted."""
        if keys not in self.rules:
            flows = [self.flows[key] for key in sorted(keys & self.flows.keys())]
            view = build_view(flows)
            self.rules[keys] = view, [*order_rules(view, flows), *slip_rules(view, flows)]
        return self.rules[keys]


async def run_audit(app: App) -> AuditReport:
    """Check every invariant that data at rest can show; orders in motion raise no false alarm."""
    database, ledger = app.parts.database, app.parts.ledger
    now = app.parts.ambient.now_ms()
    flows = list(app.engine.registry.flows.values())
    times = {"now": now, "lost_before": _lost_before(app, now)}
    registry = app.engine.registry
    part = _Orders(registry.flows, times, (AsOrdered(registry), Owing(registry)))
    books = Comparison(
        Finding("books_equal_provider", 4, "Our books equal the provider's, order by order")
    )
    parcels = Parcels()
    page = Page(upto=FIRST_ID)
    while not page.last:
        after = page.upto
        page = await database.examine(partial(part.take_page, after=after))
        await books.add_page(database, ledger, page)
        await parcels.add_page(database, ledger, page, now)
    await parcels.look_back(database, ledger)
    books.close()
    findings = [*part.findings.values(), part.orphans, books.finding, *parcels.findings]
    findings += [finding for look in part.closer for finding in look.findings]
    for check in _whole(flows, now):
        findings += await database.examine(check)
    findings.append(await check_overdue(app.engine, now - STUCK_MS))
    findings.append(await _parcels(app, part.statuses[COMPLETED]))
    findings.sort(key=lambda finding: finding.invariant)
    return AuditReport(now, part.statuses.total(), dict(part.statuses), findings)


def _whole(flows: list[Flow], now: int) -> Sequence[Check]:
    return (
        whole.check_keys,
        whole.check_stock,
        whole.check_count,
        check_food,
        check_bookings,
        lambda tx: check_subscriptions(tx, now),
        lambda tx: check_whose(tx, flows),
    )


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
