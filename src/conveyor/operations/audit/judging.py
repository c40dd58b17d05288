"""Holds the orders of a page against the rules, and looks for what belongs to none of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from conveyor.checks.columns import Column, count_if, on_page
from conveyor.checks.finding import MAX_EXAMPLES, Finding
from conveyor.checks.pages import Page
from conveyor.core.detached import Detached, all_detached, is_within
from conveyor.core.routing_slip import Flow
from conveyor.core.tables import calls, orders, outbox, parked, timeline
from conveyor.core.transaction import Tx
from conveyor.operations.audit.rules import Rule, order_rules
from conveyor.operations.audit.slip_rules import slip_rules
from conveyor.operations.audit.view import View, build_view

Query = sa.Select[*tuple[Any, ...]]
_Known = tuple[frozenset[str], tuple[Detached, ...]]
"""The flows of a page's orders, and the detached months on it."""

_BELONGINGS = (outbox, parked, calls, timeline)

_COUNTS = (
    sa.select(orders.c.status, orders.c.flow, sa.func.count())
    .where(on_page(orders.c.id))
    .group_by(orders.c.status, orders.c.flow)
)


class ByRules:
    """Judges each order by the rules of its flow, and counts all by their status."""

    def __init__(self, flows: Mapping[str, Flow], lost_before: int) -> None:
        """A token that was owed before `lost_before` is lost; 0: nobody is to blame for it."""
        self.statuses: Counter[str] = Counter()
        self._flows = flows
        self._lost_before = lost_before
        self._rules: dict[_Known, tuple[View, list[Rule], Query]] = {}
        self._findings: dict[str, Finding] = {}

    @property
    def findings(self) -> Sequence[Finding]:
        """Give one finding a rule."""
        return tuple(self._findings.values())

    def take(self, tx: Tx, page: Page, now: int) -> None:
        """Judge the orders of one page."""
        bounds = page.bounds
        keys = set[str]()
        for status, flow, count in tx.execute(_COUNTS, bounds).all():
            self.statuses[status] += count
            keys.add(flow)
        times = {"now": now, "lost_before": self._lost_before}
        detached = tuple(it for it in all_detached(tx) if page.overlaps(it.since, it.until))
        for found in self._judge(tx, (frozenset(keys), detached), {**bounds, **times}):
            before = self._findings.setdefault(found.name, found)
            if before is not found:
                before.add(found.examined, found.violations, found.examples)

    def _judge(self, tx: Tx, known: _Known, bounds: Mapping[str, str | int]) -> Iterator[Finding]:
        view, rules, counts = self._of(known)
        everybody, told, *broken = tx.execute(counts, bounds).one()
        for rule, count in zip(rules, broken, strict=True):
            examples: list[str] = []
            if count:
                which = sa.select(orders.c.id).select_from(view.source)
                which = which.where(on_page(orders.c.id), rule.broken).limit(MAX_EXAMPLES)
                examples = list(tx.execute(which, bounds).scalars())
            examined = int(told if rule.by_story else everybody)
            yield Finding(rule.name, rule.invariant, rule.says, examined, int(count), examples)

    def _of(self, known: _Known) -> tuple[View, list[Rule], Query]:
        """Give the rules for a page of these flows: only their steps need be counted."""
        if known not in self._rules:
            keys, detached = known
            flows = [self._flows[key] for key in sorted(keys & self._flows.keys())]
            view = build_view(flows)
            told = sa.not_(is_within(orders.c.id, detached)) if detached else sa.true()
            rules = [*order_rules(view, flows), *slip_rules(view, flows)]
            rules = [_of_told(rule, told) if detached else rule for rule in rules]
            broken = (count_if(rule.broken) for rule in rules)
            counts = sa.select(sa.func.count(), count_if(told), *broken)
            counts = counts.select_from(view.source).where(on_page(orders.c.id))
            self._rules[known] = view, rules, counts
        return self._rules[known]


def _of_told(rule: Rule, told: Column) -> Rule:
    return replace(rule, broken=sa.and_(told, rule.broken)) if rule.by_story else rule


class Belongings:
    """Looks for what belongs to an order that does not exist, or to another merchant's."""

    def __init__(self, belongings: Iterable[sa.Table]) -> None:
        """`belongings` are the tables of flows and services; the core has its own."""
        self._orphans = Finding(
            "belongs_to_an_order", 1, "Nothing is kept for an order that does not exist"
        )
        self._foreign = Finding(
            "of_one_merchant", 11, "What belongs to an order is its own merchant's"
        )
        self.findings = (self._orphans, self._foreign)
        self._searches = [
            search
            for table in (*_BELONGINGS, *belongings)
            for search in _searches(table, self._orphans, self._foreign)
        ]

    def take(self, tx: Tx, page: Page, _now: int) -> None:
        """Look at what is kept for the orders of one page, were they there."""
        for search in self._searches:
            rows, violations = tx.execute(search.counts, page.bounds).one()
            found = tx.execute(search.which, page.bounds).scalars() if violations else ()
            examples = [f"{order_id} in {search.table}" for order_id in found]
            search.finding.add(int(rows or 0), int(violations or 0), examples)


@dataclass(frozen=True, slots=True)
class _Search:
    """Counts the rows of a table on a page, and those that break a rule; `which` names some."""

    finding: Finding
    table: str
    counts: Query
    which: Query


def _searches(table: sa.Table, orphans: Finding, foreign: Finding) -> Iterator[_Search]:
    kept = sa.func.count().label("kept")
    # An order has many entries of some tables: it is looked for once.
    whose = sa.select(table.c.order_id, kept).where(on_page(table.c.order_id))
    one = whose.group_by(table.c.order_id).subquery()
    missing = sa.not_(sa.exists().where(orders.c.id == one.c.order_id))
    sums = (sa.func.sum(one.c.kept), sa.func.sum(one.c.kept).filter(missing))
    which = sa.select(one.c.order_id).where(missing).limit(MAX_EXAMPLES)
    yield _Search(orphans, table.name, sa.select(*sums), which)
    if "merchant" in table.c:
        elsewhere = sa.exists().where(
            orders.c.id == table.c.order_id, orders.c.merchant != table.c.merchant
        )
        here = on_page(table.c.order_id)
        counts = sa.select(sa.func.count(), count_if(elsewhere)).where(here)
        which = sa.select(table.c.order_id).where(here, elsewhere).limit(MAX_EXAMPLES)
        yield _Search(foreign, table.name, counts, which)
