"""Finds orders, the newest first, by whatever is known of them, however many there are.

Each thing that is asked for and has an index makes a *stream*: its orders, the newest first. The
shortest stream is read, and each of its orders held against everything else; which is the shortest
is counted, up to a bound. Left to themselves, SQLite knows no numbers at all, and PostgreSQL takes
it that what matches lies evenly among all orders, which an incident of last month does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from conveyor.commerce.orders.order_filter import OrderFilter
from conveyor.commerce.orders.streams import (
    Condition,
    Places,
    Stream,
    conditions,
    every_order,
    streams,
)
from conveyor.core.ambient import first_id_at
from conveyor.core.order import Order
from conveyor.core.order_status import TERMINAL
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx

PLACING_MS = 3_600_000
"""For how long an order may have waited to be placed after its id was made."""
CLOCK_MS = 1_000
"""By how much a clock may have gone back meanwhile."""
FEW, MANY = 2_000, 30_000
"""How far streams are counted: first to find one that is short, then which is the shortest."""
DEARER = 3
"""How many entries of an index are counted in the time of one whose row is read for it."""

# Only the index that is named by order and condition is to be used: any other way is read whole,
# since what it costs is reckoned from how often something occurs, and not where.
_BY_INDEX = sa.text(
    "SELECT "
    + ", ".join(
        f"set_config('enable_{way}', 'off', true)"
        for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin")
    )
)


def search(
    tx: Tx,
    wanted: OrderFilter,
    *,
    sees: str | None,
    limit: int,
    cursor: str | None = None,
    places: Places = (),
) -> list[Order]:
    """Find orders that match; `cursor` is the id of the last one seen, of `sees` the merchant.

    `sees` None: of all merchants. `places` are those at which an order is owed `wanted.step`.
    """
    whose = {merchant for merchant in (wanted.merchant, sees) if merchant is not None}
    if len(whose) > 1 or (wanted.step is not None and wanted.status in TERMINAL):
        return []
    if tx.dialect == "postgresql":
        tx.execute(_BY_INDEX)
    merchant = next(iter(whose), None)
    ways = list(streams(wanted, merchant, places))
    bounds = _bounds(wanted, cursor)
    driver = _shortest(tx, ways, bounds)
    query = (
        sa.select(orders)
        .select_from(driver.source)
        .where(*driver.finds, *_bounded(driver.id, bounds), *driver.rest)
        .where(*(it for way in ways if way is not driver for it in way.holds))
        .where(*conditions(wanted))
        .order_by(*(column.desc() for column in _order(tx, driver)))
        .limit(limit)
    )
    return [Order(*row) for row in tx.execute(query)]


def _shortest(tx: Tx, ways: Sequence[Stream], bounds: Sequence[str | None]) -> Stream:
    counts = {way: _count(tx, way, bounds, FEW) for way in ways if len(ways) > 1 or way.unsorted}
    short = [way for way in counts if counts[way] < FEW]
    if short:
        return min(short, key=counts.__getitem__)
    ways = [way for way in ways if not way.unsorted]
    if len(ways) > 1:
        return min(ways, key=lambda way: _count_of_many(tx, way, bounds))
    return ways[0] if ways else every_order()


def _count_of_many(tx: Tx, way: Stream, bounds: Sequence[str | None]) -> int:
    bound = MANY // DEARER if way.dear else MANY
    count = _count(tx, way, bounds, bound)
    return MANY if count == bound else count


def _order(tx: Tx, driver: Stream) -> Sequence[sa.ColumnElement[str]]:
    """SQLite knows that the first of an index is the same for all, where it is a column."""
    return driver.order if tx.dialect == "postgresql" else driver.order[-1:]


def _count(tx: Tx, way: Stream, bounds: Sequence[str | None], bound: int) -> int:
    one = sa.literal_column("1", sa.Integer)
    some = sa.select(one).select_from(way.counted).where(*way.finds, *_bounded(way.id, bounds))
    query = sa.select(sa.func.count()).select_from(some.limit(bound).subquery())
    return int(tx.execute(query).scalar_one())


def _bounds(wanted: OrderFilter, cursor: str | None) -> tuple[str | None, str | None]:
    """Between which ids all that match are: an id is made shortly before its order is placed."""
    first = None
    if wanted.placed_after is not None:
        first = first_id_at(wanted.placed_after - PLACING_MS)
    placed = [at for at in (wanted.placed_before, wanted.settled_before) if at is not None]
    ends = [first_id_at(min(placed) + CLOCK_MS)] if placed else []
    return first, min([*ends, *([cursor] if cursor else [])], default=None)


def _bounded(column: sa.ColumnElement[str], bounds: Sequence[str | None]) -> Iterable[Condition]:
    first, end = bounds
    if first is not None:
        yield column >= first
    if end is not None:
        yield column < end
