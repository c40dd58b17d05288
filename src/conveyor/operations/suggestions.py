"""What orders can be looked for by, offered while somebody writes it: each in a bounded look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import sqlalchemy as sa

from conveyor.commerce.orders.skus import order_skus
from conveyor.commerce.orders.streams import exactly
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.extension import Extension
from conveyor.system.composition import App

MOST = 20
"""Offered at a time: more of them nobody reads."""
RECENT_ORDERS = 1_000
"""The reasons of so many are offered: of a merchant's newest, and of those that settled last."""
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
_NEWEST = sa.select(orders.c.reason).limit(RECENT_ORDERS)
_BY_ID = orders.c.id.desc()
# With many open orders the newest have no reason yet. Nobody keeps by merchant what settled last.
_SETTLED = (
    sa.select(orders.c.reason, orders.c.merchant)
    .where(orders.c.settled_at.is_not(None))
    .order_by(orders.c.settled_at.desc())
    .limit(RECENT_ORDERS)
    .subquery()
)


async def reasons(app: App, merchant: str | None) -> list[str]:
    """Give why orders of a merchant, or anybody's, were refused or cancelled of late."""
    return await app.parts.reading.read(lambda tx: _reasons(tx, merchant))


async def skus(app: App, merchant: str | None, beginning: str) -> list[str]:
    """Give SKUs that begin so: what a merchant sells, or what anybody's orders have."""
    extensions = app.installed.extensions
    return await app.parts.reading.read(lambda tx: _skus(tx, extensions, merchant, beginning))


def _reasons(tx: Tx, merchant: str | None) -> list[str]:
    newest, settled = _NEWEST.order_by(_BY_ID), sa.select(_SETTLED.c.reason)
    if merchant is not None:
        # By its own index: PostgreSQL would else look for the few of a small one among all orders.
        newest = _NEWEST.where(exactly(orders.c.merchant, merchant))
        newest = newest.order_by(orders.c.merchant.desc(), _BY_ID)
        settled = settled.where(_SETTLED.c.merchant == merchant)
    reason = sa.select(newest.subquery()).union_all(settled).subquery().c.reason
    query = sa.select(reason).where(reason != "").group_by(reason)
    query = query.order_by(sa.func.count().desc(), reason).limit(MOST)
    return list(tx.execute(query).scalars())


def _skus(
    tx: Tx, extensions: Sequence[Extension], merchant: str | None, beginning: str
) -> list[str]:
    asked = MOST * CASES
    found: Iterable[str]
    if merchant is None:
        found = tx.execute(_SKUS, {"beginning": beginning, "most": asked}).scalars()
    else:
        found = chain.from_iterable(it.skus(tx, merchant, beginning, asked) for it in extensions)
    return sorted({it for it in found if it.startswith(beginning)})[:MOST]
