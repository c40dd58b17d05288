"""What is given back or sold twice in one transaction is given back or sold once."""

from __future__ import annotations

import pytest
from tests.unit.goods_driver import MERCHANT, Books, order

from conveyor.core.transaction import Tx
from conveyor.flows.shop.inventory import store
from conveyor.flows.shop.inventory.model import Goods


@pytest.mark.parametrize(("sells", "available", "sold"), [(False, 5, 0), (True, 3, 2)])
def test_an_end_that_comes_twice_counts_once(
    books: Books, available: int, sold: int, *, sells: bool
) -> None:
    end = store.sell if sells else store.release
    one, other = order(1, ("CD", 2)), order(2, ("CD", 1))

    def work(tx: Tx) -> None:
        for each, units in ((one, 2), (other, 1)):
            store.available(tx, MERCHANT, ["CD"])
            store.take(tx, MERCHANT, each.id, each.body_as(Goods).items, {"CD": units})

    def twice(tx: Tx) -> None:
        for _ in range(2):
            end(tx, MERCHANT, one.id)

    books.run(lambda tx: store.set_stock(tx, MERCHANT, "CD", 6))
    books.run(work)
    books.run(twice)
    level = books.run(lambda tx: store.level(tx, MERCHANT, "CD"))
    assert level is not None
    assert (level.available, level.reserved, level.sold) == (available, 1, sold)
    assert level.balanced
