"""What orders can be looked for by, offered while somebody writes it: each in a bounded look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import sqlalchemy as sa

from conveyor.commerce.orders.skus import order_skus
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.extension import Extension

MOST = 20
"""Offered at a time: more of them nobody reads."""
RECENT_ORDERS = 2_000
"""Of so many of the newest orders the reasons are offered."""
CASES = 10
"""So many times as many SKUs are looked at: PostgreSQL may have those in capitals in between."""


def _distinct_skus() -> sa.Select[tuple[str]]:
    """Go from one SKU to the next, by as many looks into the index, however many orders it has."""
    sku = order_skus.c.sku
    first = sa.select(sa.func.min(sku).label("sku"), sa.literal(1).label("number"))
    found = first.where(sku >= sa.bindparam("beginning")).cte("found", recursive=True)
    following = sa.select(sa.func.min(sku)).where(sku > found.c.sku).scalar_subquery()
    more = sa.select(following, found.c.number + 1)
    more = more.where(found.c.number < sa.bindparam("most"), found.c.sku.is_not(None))
    every = found.union_all(more)
    return sa.select(every.c.sku).where(every.c.sku.is_not(None))


_SKUS = _distinct_skus()
_NEWEST = sa.select(orders.c.reason).order_by(orders.c.id.desc()).limit(RECENT_ORDERS)


def reasons(tx: Tx, merchant: str | None) -> list[str]:
    """Give why a merchant's newest orders, or everybody's, were refused or cancelled."""
    newest = _NEWEST if merchant is None else _NEWEST.where(orders.c.merchant == merchant)
    reason = newest.subquery().c.reason
    query = sa.select(reason).where(reason != "").group_by(reason)
    query = query.order_by(sa.func.count().desc(), reason).limit(MOST)
    return list(tx.execute(query).scalars())


def skus(
    tx: Tx, extensions: Sequence[Extension], merchant: str | None, beginning: str
) -> list[str]:
    """Give SKUs that begin so: what a merchant sells, or what anybody's orders have."""
    asked = MOST * CASES
    found: Iterable[str]
    if merchant is None:
        found = tx.execute(_SKUS, {"beginning": beginning, "most": asked}).scalars()
    else:
        found = chain.from_iterable(it.skus(tx, merchant, beginning, asked) for it in extensions)
    return sorted({it for it in found if it.startswith(beginning)})[:MOST]
