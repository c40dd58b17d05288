"""Holds the orders of a page against the rules, and looks for what belongs to none of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from conveyor.checks.columns import Column, count_if, on_page
from conveyor.checks.finding import MAX_EXAMPLES, Finding
from conveyor.checks.pages import Page
from conveyor.core.routing_slip import Flow
from conveyor.core.tables import calls, orders, outbox, parked, timeline
from conveyor.core.transaction import Tx
from conveyor.operations.audit.rules import Rule, order_rules
from conveyor.operations.audit.slip_rules import slip_rules
from conveyor.operations.audit.view import View, build_view

_BELONGINGS = (outbox, parked, calls, timeline)

_FLOWS = sa.select(orders.c.flow).where(on_page(orders.c.id)).distinct()
_BY_STATUS = (
    sa.select(orders.c.status, sa.func.count())
    .where(on_page(orders.c.id))
    .group_by(orders.c.status)
)


class ByRules:
    """Judges each order by the rules of its flow, and counts all by their status."""

    def __init__(self, flows: Mapping[str, Flow], lost_before: int) -> None:
        """A token that was owed before `lost_before` is lost; 0: nobody is to blame for it."""
        self.statuses: Counter[str] = Counter()
        self._flows = flows
        self._lost_before = lost_before
        self._rules: dict[frozenset[str], tuple[View, list[Rule]]] = {}
        self._findings: dict[str, Finding] = {}

    @property
    def findings(self) -> Sequence[Finding]:
        """Give one finding a rule."""
        return tuple(self._findings.values())

    def take(self, tx: Tx, page: Page, now: int) -> None:
        """Judge the orders of one page."""
        bounds = page.bounds
        self.statuses.update({row[0]: row[1] for row in tx.execute(_BY_STATUS, bounds).all()})
        view, rules = self._of_flows(frozenset(tx.execute(_FLOWS, bounds).scalars()))
        times = {"now": now, "lost_before": self._lost_before}
        for found in _judge(tx, view, rules, {**bounds, **times}):
            before = self._findings.setdefault(found.name, found)
            if before is not found:
                before.add(found.examined, found.violations, found.examples)

    def _of_flows(self, keys: frozenset[str]) -> tuple[View, list[Rule]]:
        """Give the rules for a page of these flows: only their steps need be counted."""
        if keys not in self._rules:
            flows = [self._flows[key] for key in sorted(keys & self._flows.keys())]
            view = build_view(flows)
            self._rules[keys] = view, [*order_rules(view, flows), *slip_rules(view, flows)]
        return self._rules[keys]


def _judge(
    tx: Tx, view: View, rules: Sequence[Rule], bounds: Mapping[str, str | int]
) -> Iterator[Finding]:
    counts = sa.select(sa.func.count(), *(count_if(rule.broken) for rule in rules))
    query = counts.select_from(view.source).where(on_page(orders.c.id))
    examined, *broken = tx.execute(query, bounds).one()
    for rule, count in zip(rules, broken, strict=True):
        examples: list[str] = []
        if count:
            which = sa.select(orders.c.id).select_from(view.source)
            which = which.where(on_page(orders.c.id), rule.broken).limit(MAX_EXAMPLES)
            examples = list(tx.execute(which, bounds).scalars())
        yield Finding(rule.name, rule.invariant, rule.says, int(examined), int(count), examples)


class Belongings:
    """Looks for what belongs to an order that does not exist, or to another merchant's."""

    def __init__(self, belongings: Iterable[sa.Table]) -> None:
        """`belongings` are the tables of flows and services; the core has its own."""
        self._tables = (*_BELONGINGS, *belongings)
        self._orphans = Finding(
            "belongs_to_an_order", 1, "Nothing is kept for an order that does not exist"
        )
        self._foreign = Finding(
            "of_one_merchant", 11, "What belongs to an order is its own merchant's"
        )
        self.findings = (self._orphans, self._foreign)

    def take(self, tx: Tx, page: Page, _now: int) -> None:
        """Look at what is kept for the orders of one page, were they there."""
        for table in self._tables:
            there = sa.exists().where(orders.c.id == table.c.order_id)
            _count(tx, page, self._orphans, table, sa.not_(there))
            if "merchant" in table.c:
                elsewhere = there.where(orders.c.merchant != table.c.merchant)
                _count(tx, page, self._foreign, table, elsewhere)


def _count(tx: Tx, page: Page, finding: Finding, table: sa.Table, broken: Column) -> None:
    query = sa.select(sa.func.count(), count_if(broken)).where(on_page(table.c.order_id))
    rows, violations = tx.execute(query, page.bounds).one()
    examples: list[str] = []
    if violations:
        which = sa.select(table.c.order_id).where(on_page(table.c.order_id), broken)
        found = tx.execute(which.limit(MAX_EXAMPLES), page.bounds).scalars()
        examples = [f"{order_id} in {table.name}" for order_id in found]
    finding.add(int(rows), int(violations), examples)
