"""The audit of inventory finds what is planted, and nothing else."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from tests.unit.goods_driver import MERCHANT, NOW_MS, Books, insert_orders, order

from conveyor.core.order_status import OrderStatus
from conveyor.core.step import Now
from conveyor.flows.shop.inventory import steps, store
from conveyor.flows.shop.inventory.audit import InventoryAudit, Stranded, Totals, audit

COMPLETED_ORDER = order(1, ("CD", 1), ("LP", 2), status=OrderStatus.COMPLETED)
CANCELLED_ORDER = order(2, ("CD", 4), status=OrderStatus.CANCELLED)
PARKED_ORDER = order(3, ("CD", 3), status=OrderStatus.PARKED)


def trade(books: Books) -> None:
    """Sell to one order, reserve and release for another, and hold stock for a parked one."""
    group = [COMPLETED_ORDER, CANCELLED_ORDER, PARKED_ORDER]
    with books.tx() as tx:
        insert_orders(tx, group)
        store.import_stock(tx, MERCHANT, [("CD", 10), ("LP", 5)])
        for one in group:
            steps.reserve(tx, one, Now(NOW_MS))
    with books.tx() as tx:
        steps.sell(tx, COMPLETED_ORDER, Now(NOW_MS))
        steps.release(tx, CANCELLED_ORDER, Now(NOW_MS))


def test_honest_trade_is_clean(books: Books) -> None:
    trade(books)

    found = books.run(audit)

    assert found.clean
    assert found.totals == Totals(skus=2, received=15, available=9, reserved=3, sold=3)


def test_an_empty_warehouse_is_clean(books: Books) -> None:
    assert books.run(audit) == InventoryAudit(Totals(0, 0, 0, 0, 0), [], [], [])


def test_a_reservation_that_outlives_its_order_is_found(books: Books) -> None:
    trade(books)
    with books.tx() as tx:
        late = order(4, ("LP", 1), status=OrderStatus.CANCELLED)
        insert_orders(tx, [late])
        steps.reserve(tx, late, Now(NOW_MS))

    found = books.run(audit)

    assert found.stranded == [Stranded(late.id, "LP", 1, OrderStatus.CANCELLED)]
    assert not found.clean


def test_stock_that_disagrees_with_its_reservations_is_found(books: Books) -> None:
    trade(books)
    with books.tx() as tx:
        forgotten = store.reservations.c.order_id == PARKED_ORDER.id
        tx.execute(sa.delete(store.reservations).where(forgotten))

    found = books.run(audit)

    assert [(level.sku, level.reserved) for level in found.miscounted] == [("CD", 3)]
    assert not found.clean


def test_stock_that_does_not_add_up_is_found(tmp_path: Path) -> None:
    books = Books(f"sqlite:///{tmp_path / 'books.db'}")
    trade(books)
    with books.tx() as tx:
        tx.connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        tx.execute(sa.update(store.stock).values(available=store.stock.c.available - 3))

    found = books.run(audit)
    books.close()

    assert [(level.sku, level.balanced) for level in found.unbalanced] == [
        ("CD", False),
        ("LP", False),
    ]
    assert not found.clean
