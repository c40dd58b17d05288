"""Lists of orders show what was asked for, and nothing whose name only looks like it."""

from __future__ import annotations

import pytest
from tests.goods_driver import MERCHANT, Books, insert_orders, order

from conveyor.services.orders import store

FLOWS = ("shop@1", "shop@2", "shopping@1", "sho%@1", "food@1")


@pytest.mark.parametrize(
    ("flow", "numbers"), [("shop", [2, 1]), ("shopping", [3]), ("sho%", [4]), ("sh", [])]
)
def test_a_flow_is_named_whole_and_in_every_version(
    books: Books, flow: str, numbers: list[int]
) -> None:
    placed = [order(n)._replace(flow=of) for n, of in enumerate(FLOWS, start=1)]
    books.run(lambda tx: insert_orders(tx, placed))
    found = books.run(
        lambda tx: store.listing(
            tx, merchant=MERCHANT, status=None, flow=flow, limit=10, cursor=None
        )
    )
    assert [int(one.id) for one in found] == numbers
