"""The tables of inventory and their SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from conveyor.core.gathered import Gathered
from conveyor.core.statements import one_of, pair_of
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert
from conveyor.core.word_column import WordOf
from conveyor.flows.shop.inventory.model import Line, ReservationState, StockLevel, last_wins
from conveyor.flows.shop.tables import metadata

# Both are found by their key alone, which on SQLite then is the table: one write, not two.
stock = sa.Table(
    "stock",
    metadata,
    sa.Column("merchant", sa.Text, primary_key=True),
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("available", sa.BigInteger, nullable=False),
    sa.Column("reserved", sa.BigInteger, nullable=False),
    sa.Column("sold", sa.BigInteger, nullable=False),
    # The last line of defence against overselling, whatever the code above it does.
    sa.CheckConstraint("available >= 0 AND reserved >= 0 AND sold >= 0", name="stock_not_negative"),
    sa.CheckConstraint("available + reserved + sold = received", name="stock_adds_up"),
    sqlite_with_rowid=False,
)

reservations = sa.Table(
    "reservations",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),  # from 1, as ordered
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("state", WordOf(ReservationState), nullable=False),
    sa.CheckConstraint(f"state IN {tuple(map(str, ReservationState))}", name="reservations_state"),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": 50},  # as for orders
)

_units = sa.bindparam("units", type_=sa.BigInteger)
_here = (stock.c.merchant == sa.bindparam("of_merchant")) & (stock.c.sku == sa.bindparam("of_sku"))

# Whoever takes has read the level under its lock; the condition stands all the same.
_TAKE = (
    sa.update(stock)
    .where(_here, stock.c.available >= _units)
    .values(available=stock.c.available - _units, reserved=stock.c.reserved + _units)
)
_GIVE_BACK = (
    sa.update(stock)
    .where(_here, stock.c.reserved >= _units)
    .values(available=stock.c.available + _units, reserved=stock.c.reserved - _units)
)
_SELL = (
    sa.update(stock)
    .where(_here, stock.c.reserved >= _units)
    .values(reserved=stock.c.reserved - _units, sold=stock.c.sold + _units)
)
_RESERVE_LINE = sa.insert(reservations)
_END = sa.update(reservations).where(
    reservations.c.order_id == sa.bindparam("of_order"),
    reservations.c.state == ReservationState.RESERVED,
)
_END_RELEASED = _END.values(state=ReservationState.RELEASED)
_END_SOLD = _END.values(state=ReservationState.SOLD)
_HELD = sa.select(reservations.c.order_id, reservations.c.sku, reservations.c.quantity).where(
    one_of(reservations.c.order_id, "orders"),
    reservations.c.state == ReservationState.RESERVED,
)

_OF_ORDER = (
    sa.select(reservations.c.sku, reservations.c.quantity, reservations.c.state)
    .where(reservations.c.order_id == sa.bindparam("of_order"))
    .order_by(reservations.c.line)
)

# In one order: two groups that want the same SKUs in different orders would else deadlock.
_LOCK = (
    sa.select(stock.c.merchant, stock.c.sku, stock.c.available)
    .where(pair_of(stock.c.merchant, stock.c.sku, "keys"))
    .order_by(stock.c.merchant, stock.c.sku)
    .with_for_update()
)
_LEVEL = sa.select(stock).where(_here)
_PAGE = (
    sa.select(stock)
    .where(stock.c.merchant == sa.bindparam("of_merchant"), stock.c.sku > sa.bindparam("after"))
    .order_by(stock.c.sku)
    .limit(sa.bindparam("page"))
)
_SKUS = (
    sa.select(stock.c.sku)
    .where(stock.c.merchant == sa.bindparam("of_merchant"), stock.c.sku >= sa.bindparam("first"))
    .order_by(stock.c.sku)
    .limit(sa.bindparam("most"))
)


def _set_available(insert: DialectInsert) -> sa.Executable:
    row = insert(stock).values(reserved=0, sold=0)
    upsert: sa.Executable = row.on_conflict_do_update(
        index_elements=[stock.c.merchant, stock.c.sku],
        set_={
            "available": row.excluded.available,
            "received": row.excluded.available + stock.c.reserved + stock.c.sold,
        },
    )
    return upsert


_SET = PerDialect(_set_available)


Key = tuple[str, str]
"""Merchant and SKU."""


def _lock(tx: Tx, keys: Sequence[Key]) -> dict[Key, int]:
    found = tx.execute(_LOCK, {"keys": sorted(keys)})
    return {(merchant, sku): available for merchant, sku, available in found}


def _read_held(tx: Tx, ids: Sequence[str]) -> dict[str, dict[str, int]]:
    held: dict[str, dict[str, int]] = {order_id: {} for order_id in ids}
    for order_id, sku, quantity in tx.execute(_HELD, {"orders": ids}).all():
        held[order_id][sku] = held[order_id].get(sku, 0) + quantity
    return held


_AVAILABLE = Gathered(_lock)
_HELD_FOR = Gathered(_read_held)
"""By order and SKU, the units that are reserved and neither released nor sold."""


def gather_available(tx: Tx, keys: Iterable[Key]) -> None:
    """Lock the stock of these until the transaction ends, and read it once."""
    _AVAILABLE.gather(tx, keys)


def lock_stock(tx: Tx, keys: Iterable[Key]) -> None:
    """Lock the stock of these where others may write it meanwhile: SQLite has one writer.

    There the keys, for which every order's body must be read, are not asked for.
    """
    if tx.dialect == "postgresql":
        gather_available(tx, keys)


def available(tx: Tx, merchant: str, skus: Iterable[str]) -> dict[str, int | None]:
    """Give the units that can be taken in this transaction; None for a SKU never had."""
    skus = tuple(skus)
    gather_available(tx, ((merchant, sku) for sku in skus))
    return {sku: _AVAILABLE.get(tx, (merchant, sku)) for sku in skus}


def take(
    tx: Tx, merchant: str, order_id: str, items: Iterable[Line], units: Mapping[str, int]
) -> None:
    """Reserve for an order what `available` says is there. Taking more fails the transaction."""
    for sku, count in units.items():
        there = _AVAILABLE.get(tx, (merchant, sku)) or 0
        _AVAILABLE.put(tx, (merchant, sku), there - count)
        tx.add(_TAKE, _at(merchant, sku), {"units": count}, must_match=True)
    for line, item in enumerate(items, start=1):
        row = {"order_id": order_id, "line": line, "sku": item.sku}
        tx.later(
            _RESERVE_LINE, row | {"quantity": item.quantity, "state": ReservationState.RESERVED}
        )


def gather_held(tx: Tx, order_ids: Iterable[str]) -> None:
    """Read once what is reserved for these orders."""
    _HELD_FOR.gather(tx, order_ids)


def release(tx: Tx, merchant: str, order_id: str) -> None:
    """Make what is still reserved for the order available again, before the commit."""
    _end(tx, merchant, order_id, (_GIVE_BACK, _END_RELEASED))


def sell(tx: Tx, merchant: str, order_id: str) -> None:
    """Turn what is still reserved for the order into sold, before the commit."""
    _end(tx, merchant, order_id, (_SELL, _END_SOLD))


def level(tx: Tx, merchant: str, sku: str) -> StockLevel | None:
    """Give the stock of a SKU; None when the merchant never had it."""
    row = tx.execute(_LEVEL, {"of_merchant": merchant, "of_sku": sku}).one_or_none()
    return StockLevel(*row) if row else None


def set_stock(tx: Tx, merchant: str, sku: str, available: int) -> StockLevel:
    """Set what is available now (0 to `MAX_AVAILABLE`), and give the level that results.

    What is reserved or sold stays; `received` is what makes the sum hold.
    """
    import_stock(tx, merchant, [(sku, available)])
    row = tx.execute(_LEVEL, {"of_merchant": merchant, "of_sku": sku}).one()
    return StockLevel(*row)


def import_stock(tx: Tx, merchant: str, rows: Iterable[tuple[str, int]]) -> int:
    """Set what is available of many SKUs; of several rows of one SKU the last counts.

    Gives the number of SKUs set.
    """
    levels = last_wins(rows)
    gather_available(tx, ((merchant, sku) for sku in levels))
    if levels:
        tx.execute(
            _SET,
            [
                {"merchant": merchant, "sku": sku, "available": units, "received": units}
                for sku, units in levels.items()
            ],
        )
    _AVAILABLE.forget(tx, ((merchant, sku) for sku in levels))
    return len(levels)


def list_stock(tx: Tx, merchant: str, limit: int, cursor: str = "") -> list[StockLevel]:
    """Give up to `limit` levels, sorted by SKU; `cursor` is the last SKU of the page before."""
    page = {"of_merchant": merchant, "after": cursor, "page": limit}
    return [StockLevel(*row) for row in tx.execute(_PAGE, page)]


def skus_from(tx: Tx, merchant: str, first: str, most: int) -> list[str]:
    """Give so many SKUs that a merchant has had, sorted, from this one on."""
    asked = {"of_merchant": merchant, "first": first, "most": most}
    return list(tx.execute(_SKUS, asked).scalars())


def _at(merchant: str, sku: str) -> dict[str, Any]:
    return {"of_merchant": merchant, "of_sku": sku}


def _end(tx: Tx, merchant: str, order_id: str, statements: tuple[sa.Update, sa.Update]) -> None:
    move, end = statements
    held = _HELD_FOR.get(tx, order_id) or {}
    for sku, count in held.items():
        tx.add(move, _at(merchant, sku), {"units": count}, must_match=True)
    if held:
        tx.later(end, {"of_order": order_id})
        held.clear()  # doing it twice is harmless


class LineReserved(NamedTuple):
    """What was reserved for a line item, and what became of it."""

    sku: str
    quantity: int
    state: ReservationState


def reserved_for(tx: Tx, order_id: str) -> list[LineReserved]:
    """Give an order's reservations, by its line items."""
    return [LineReserved(*row) for row in tx.execute(_OF_ORDER, {"of_order": order_id})]
