"""Goes through all orders page by page and judges each by the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.app.audit.report import MAX_EXAMPLES, Finding
from conveyor.app.audit.rules import Rule
from conveyor.app.audit.view import FIRST_ID, LAST_ID, View, count_if, on_page
from conveyor.messaging.tables import calls, orders, outbox, parked, timeline
from conveyor.messaging.transaction import Tx
from conveyor.services.inventory.store import reservations
from conveyor.services.payments.store import payments
from conveyor.services.restaurants.store import tickets
from conveyor.services.riders.store import offers
from conveyor.services.shipping.store import shipments

PAGE_ORDERS = 2_000

_BELONGINGS = (outbox, parked, calls, payments, reservations, shipments, tickets, offers, timeline)

_PAGE_END = (
    sa.select(orders.c.id)
    .where(orders.c.id > sa.bindparam("after"))
    .order_by(orders.c.id)
    .offset(PAGE_ORDERS - 1)
    .limit(1)
)
_FLOWS = sa.select(orders.c.flow).where(on_page(orders.c.id)).distinct()
_BY_STATUS = (
    sa.select(orders.c.status, sa.func.count())
    .where(on_page(orders.c.id))
    .group_by(orders.c.status)
)


@dataclass(frozen=True, slots=True)
class Page:
    """The orders with `after < id <= upto`."""

    after: str = FIRST_ID
    upto: str = LAST_ID

    @property
    def last(self) -> bool:
        """Whether no order comes after it."""
        return self.upto == LAST_ID

    @property
    def bounds(self) -> dict[str, str]:
        """Give the parameters of a query over the page."""
        return {"after": self.after, "upto": self.upto}


def next_page(tx: Tx, after: str) -> Page:
    """Give the page that follows; the last one has no end, so that nothing falls between."""
    end = tx.execute(_PAGE_END, {"after": after}).scalar()
    return Page(after, end or LAST_ID)


def judge(
    tx: Tx, view: View, rules: Sequence[Rule], page: Page, times: dict[str, int]
) -> Iterator[Finding]:
    """Give for each rule how many orders of the page it was held against, and which break it."""
    bounds = page.bounds | times
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


def flows_of(tx: Tx, page: Page) -> frozenset[str]:
    """Give the keys of the flows of the page's orders."""
    return frozenset(tx.execute(_FLOWS, page.bounds).scalars())


def by_status(tx: Tx, page: Page) -> dict[str, int]:
    """Count the orders of the page."""
    return {row[0]: int(row[1]) for row in tx.execute(_BY_STATUS, page.bounds).all()}


def find_orphans(tx: Tx, page: Page, finding: Finding) -> None:
    """Look for what belongs to an order that does not exist."""
    for table in _BELONGINGS:
        missing = sa.not_(sa.exists().where(orders.c.id == table.c.order_id))
        query = sa.select(sa.func.count(), count_if(missing)).where(on_page(table.c.order_id))
        rows, orphans = tx.execute(query, page.bounds).one()
        examples: list[str] = []
        if orphans:
            which = sa.select(table.c.order_id).where(on_page(table.c.order_id), missing)
            found = tx.execute(which.limit(MAX_EXAMPLES), page.bounds).scalars()
            examples = [f"{order_id} in {table.name}" for order_id in found]
        finding.add(int(rows), int(orphans), examples)
