"""The tables of inventory and their SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from conveyor.messaging.tables import metadata
from conveyor.messaging.transaction import PerDialect, Tx
from conveyor.services.inventory.model import (
    RELEASED,
    RESERVED,
    SOLD,
    Items,
    StockLevel,
    last_wins,
)

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
    sa.Column("state", sa.Text, nullable=False),
    sa.CheckConstraint(
        f"state IN ('{RESERVED}', '{RELEASED}', '{SOLD}')", name="reservations_state"
    ),
    sqlite_with_rowid=False,
)

_units = sa.bindparam("units", type_=sa.BigInteger)
_here = (stock.c.merchant == sa.bindparam("of_merchant")) & (stock.c.sku == sa.bindparam("of_sku"))
_holds = sa.exists().where(
    reservations.c.order_id == sa.bindparam("of_order"),
    reservations.c.sku == stock.c.sku,
    reservations.c.state == RESERVED,
)

_TAKE = (
    sa.update(stock)
    .where(_here, stock.c.available >= _units)
    .values(available=stock.c.available - _units, reserved=stock.c.reserved + _units)
)
_GIVE_BACK = (
    sa.update(stock)
    .where(_here)
    .values(available=stock.c.available + _units, reserved=stock.c.reserved - _units)
)
_RELEASE = _GIVE_BACK.where(_holds)
_SELL = (
    sa.update(stock)
    .where(_here, _holds)
    .values(reserved=stock.c.reserved - _units, sold=stock.c.sold + _units)
)
_RESERVE_LINE = sa.insert(reservations)
# Each follows its own move of the stock, which looks for lines that are still reserved.
_END = sa.update(reservations).where(
    reservations.c.order_id == sa.bindparam("of_order"), reservations.c.state == RESERVED
)
_END_RELEASED = _END.values(state=RELEASED)
_END_SOLD = _END.values(state=SOLD)

_LOCK = (
    sa.select(stock.c.sku)
    .where(sa.tuple_(stock.c.merchant, stock.c.sku).in_(sa.bindparam("keys", expanding=True)))
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


def _set_available(insert: Any) -> sa.Executable:  # noqa: ANN401 - either dialect's
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


def lock_levels(tx: Tx, keys: Iterable[tuple[str, str]]) -> None:
    """Lock the stock of these (merchant, SKU) until the transaction ends, in one fixed order.

    Two groups that want the same SKUs in different orders would otherwise deadlock. SQLite has
    one writer and needs none of it.
    """
    if tx.dialect == "postgresql" and (distinct := list(set(keys))):
        tx.execute(_LOCK, {"keys": distinct}).all()


def take(tx: Tx, merchant: str, sku: str, units: int) -> bool:
    """Move units from available to reserved; False, and nothing moved, when there are too few."""
    return tx.execute(_TAKE, _at(merchant, sku, units)).rowcount == 1


def give_back(tx: Tx, merchant: str, sku: str, units: int) -> None:
    """Undo a `take` of this transaction."""
    tx.execute(_GIVE_BACK, _at(merchant, sku, units))


def add_reservations(tx: Tx, order_id: str, items: Items) -> None:
    """Write down, before the commit, what was taken for each line of the order."""
    for line, item in enumerate(items, start=1):
        row = {"order_id": order_id, "line": line, "sku": item["sku"]}
        tx.later(_RESERVE_LINE, row | {"quantity": item["quantity"], "state": RESERVED})


def release(tx: Tx, merchant: str, order_id: str, units: Mapping[str, int]) -> None:
    """Make what is still reserved for the order available again, before the commit."""
    _end(tx, merchant, order_id, units, (_RELEASE, _END_RELEASED))


def sell(tx: Tx, merchant: str, order_id: str, units: Mapping[str, int]) -> None:
    """Turn what is still reserved for the order into sold, before the commit."""
    _end(tx, merchant, order_id, units, (_SELL, _END_SOLD))


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
    available = last_wins(rows)
    lock_levels(tx, ((merchant, sku) for sku in available))
    if available:
        tx.execute(
            _SET,
            [
                {"merchant": merchant, "sku": sku, "available": units, "received": units}
                for sku, units in available.items()
            ],
        )
    return len(available)


def list_stock(tx: Tx, merchant: str, limit: int, cursor: str = "") -> list[StockLevel]:
    """Give up to `limit` levels, sorted by SKU; `cursor` is the last SKU of the page before."""
    page = {"of_merchant": merchant, "after": cursor, "page": limit}
    return [StockLevel(*row) for row in tx.execute(_PAGE, page)]


def _at(merchant: str, sku: str, units: int) -> dict[str, Any]:
    return {"of_merchant": merchant, "of_sku": sku, "units": units}


def _end(
    tx: Tx,
    merchant: str,
    order_id: str,
    units: Mapping[str, int],
    statements: tuple[sa.Update, sa.Update],
) -> None:
    move, end = statements
    for sku, count in units.items():
        tx.later(move, _at(merchant, sku, count) | {"of_order": order_id})
    tx.later(end, {"of_order": order_id})
