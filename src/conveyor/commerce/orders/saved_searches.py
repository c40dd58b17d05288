"""Searches for orders that a merchant's operators keep by a name.

None of them is for one customer: what is personal stays in the orders, where it can be erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

import sqlalchemy as sa

from conveyor.commerce.orders.order_filter import NAMES
from conveyor.core.tables import metadata
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert

MOST_SAVED = 50
"""Searches of one merchant."""
LONGEST_NAME = 60
OF_ONE = frozenset({"id", "reference", "customer", "email"})
"""What finds one customer, or one order: it is not kept."""
KEPT = tuple(name for name in NAMES if name not in OF_ONE)

saved_searches = sa.Table(
    "saved_searches",
    metadata,
    sa.Column("merchant", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("query", sa.Text, nullable=False),  # as an address has it
    sa.Column("saved_at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
_s = saved_searches.c


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search by its name; `query` is what an address of the page of orders asks for."""

    name: str
    query: str

    @property
    def asks(self) -> dict[str, str]:
        """Give what it asks for."""
        return dict(parse_qsl(self.query))


def _put(insert: DialectInsert) -> sa.Executable:
    row = insert(saved_searches)
    changed = {name: row.excluded[name] for name in ("query", "saved_at")}
    upsert: sa.Executable = row.on_conflict_do_update(
        index_elements=["merchant", "name"], set_=changed
    )
    return upsert


_PUT = PerDialect(_put)
_LIST = (
    sa.select(_s.name, _s.query)
    .where(_s.merchant == sa.bindparam("of_merchant"))
    .order_by(_s.name)
    .limit(MOST_SAVED)
)
_FORGET = sa.delete(saved_searches).where(
    _s.merchant == sa.bindparam("of_merchant"), _s.name == sa.bindparam("of_name")
)


def listing(tx: Tx, merchant: str) -> list[SavedSearch]:
    """Give a merchant's, by name."""
    return [SavedSearch(*row) for row in tx.execute(_LIST, {"of_merchant": merchant})]


def save(tx: Tx, merchant: str, name: str, asks: dict[str, str], now_ms: int) -> bool:
    """Keep a search, in the place of one of the same name; says whether there was room for it."""
    there = [it.name for it in listing(tx, merchant)]
    if name not in there and len(there) >= MOST_SAVED:
        return False
    query = urlencode({it: asks[it] for it in KEPT if asks.get(it)})
    row = {"merchant": merchant, "name": name, "query": query, "saved_at": now_ms}
    tx.execute(_PUT, row)
    return True


def forget(tx: Tx, merchant: str, name: str) -> bool:
    """Keep it no longer; says whether it was there."""
    return bool(tx.execute(_FORGET, {"of_merchant": merchant, "of_name": name}).rowcount)
