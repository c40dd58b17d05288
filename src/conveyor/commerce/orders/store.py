"""The order service's own table, and its queries on the orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.ambient import first_id_at
from conveyor.core.order import Order
from conveyor.core.order_status import TERMINAL, OrderStatus
from conveyor.core.statements import one_of
from conveyor.core.tables import metadata, orders
from conveyor.core.transaction import Tx

PLACING_MS = 3_600_000
"""For how long an order may have waited to be placed after its id was made."""
CLOCK_MS = 1_000
"""By how much a clock may have gone back meanwhile."""

idempotency = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("merchant", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("placed_at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

_KEEP = sa.insert(idempotency)
_FIND = sa.select(idempotency).where(
    idempotency.c.merchant == sa.bindparam("merchant"),
    one_of(idempotency.c.key, "keys"),
)


@dataclass(frozen=True, slots=True)
class KeptKey:
    """An idempotency key that has been used."""

    merchant: str
    key: str
    fingerprint: str
    order_id: str
    placed_at: int


@dataclass(frozen=True, slots=True)
class Match:
    """What orders are to match, beside their status and flow; times in milliseconds.

    `placed_after` is the first moment that counts, `placed_before` the first that does not.
    """

    reference: str | None = None
    customer: str | None = None
    placed_after: int | None = None
    placed_before: int | None = None

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """Give what the database is to look for."""
        if self.reference:
            yield orders.c.reference == self.reference
            yield orders.c.reference != sa.text("''")  # as its index says
        elif self.reference is not None:
            yield orders.c.reference == self.reference
        if self.customer is not None:
            yield orders.c.customer == self.customer
        # An id is made shortly before its order is placed: the list, which is in their order, is
        # read from one end of the time to the other, and no further.
        if self.placed_after is not None:
            yield orders.c.placed_at >= self.placed_after
            yield orders.c.id >= first_id_at(self.placed_after - PLACING_MS)
        if self.placed_before is not None:
            yield orders.c.placed_at < self.placed_before
            yield orders.c.id < first_id_at(self.placed_before + CLOCK_MS)


EVERYTHING = Match()


def find_keys(tx: Tx, merchant: str, keys: Sequence[str]) -> dict[str, KeptKey]:
    """Give those of the keys that have been used."""
    rows = tx.execute(_FIND, {"merchant": merchant, "keys": list(keys)}).all()
    return {row[1]: KeptKey(*row) for row in rows}


def keep_key(tx: Tx, kept: KeptKey) -> None:
    """Keep a key, with the order that it placed. Two of the same fail the transaction."""
    tx.later(
        _KEEP,
        {
            "merchant": kept.merchant,
            "key": kept.key,
            "fingerprint": kept.fingerprint,
            "order_id": kept.order_id,
            "placed_at": kept.placed_at,
        },
    )


def find(tx: Tx, order_id: str, merchant: str | None) -> Order | None:
    """Give an order; with a merchant, only if it is theirs."""
    query = sa.select(orders).where(orders.c.id == order_id)
    if merchant is not None:
        query = query.where(orders.c.merchant == merchant)
    row = tx.execute(query).one_or_none()
    return Order(*row) if row else None


def listing(
    tx: Tx,
    *,
    merchant: str | None,
    status: OrderStatus | None = None,
    flow: str | None = None,
    limit: int,
    cursor: str | None = None,
    match: Match = EVERYTHING,
) -> list[Order]:
    """List orders, newest first; the cursor is the id of the last one seen."""
    query = sa.select(orders).order_by(orders.c.id.desc()).limit(limit).where(*match.conditions())
    whose: sa.ColumnElement[str] = orders.c.merchant
    if status is not None:
        query = query.where(orders.c.status == status)
        if status not in TERMINAL:
            # Few are open however many have settled: SQLite is to find them by their own index,
            # and not, for the sake of the merchant, by that of all orders.
            query = query.where(orders.c.settled_at.is_(None))
            whose = whose.concat("")
    if merchant is not None:
        query = query.where(whose == merchant)
    if flow is not None:
        query = query.where(orders.c.flow.startswith(f"{flow}@", autoescape=True))
    if cursor is not None:
        query = query.where(orders.c.id < cursor)
    return [Order(*row) for row in tx.execute(query)]
