"""All orders, in pages of so many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.tables import orders
from conveyor.core.transaction import Tx

PAGE_ORDERS = 2_000
FIRST_ID = ""
LAST_ID = "z" * 26  # above every ULID, and above what is none

_PAGE_END = (
    sa.select(orders.c.id)
    .where(orders.c.id > sa.bindparam("after"))
    .order_by(orders.c.id)
    .offset(PAGE_ORDERS - 1)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Page:
    """The orders with `after < id <= upto`."""

    after: str = FIRST_ID
    upto: str = LAST_ID

    @property
    def bounds(self) -> dict[str, str]:
        """Give the parameters of a query over the page."""
        return {"after": self.after, "upto": self.upto}

    def overlaps(self, since: str, until: str) -> bool:
        """Whether ids with `since` <= id < `until` may be on it."""
        return self.after < until and since <= self.upto


def pages_of(tx: Tx) -> Sequence[Page]:
    """Give all pages; the last one has no end, so that nothing falls between."""
    pages: list[Page] = []
    after = FIRST_ID
    while end := tx.execute(_PAGE_END, {"after": after}).scalar():
        pages.append(Page(after, end))
        after = end
    return [*pages, Page(after)]
