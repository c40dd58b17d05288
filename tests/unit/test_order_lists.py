"""Lists of orders show what was asked for, and nothing whose name only looks like it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from tests.unit.goods_driver import MERCHANT, Books, insert_orders, order

from conveyor.commerce.orders import store
from conveyor.commerce.orders.store import Match
from conveyor.core.transaction import Tx

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


@pytest.mark.parametrize("merchant", [MERCHANT, None])
@pytest.mark.parametrize(
    ("match", "index"),
    [
        (Match(customer="c7"), "orders_by_customer"),
        (Match(reference="r7"), "orders_by_reference"),
    ],
)
def test_an_order_is_found_by_its_index_however_many_there_are(
    books: Books, merchant: str | None, match: Match, index: str
) -> None:
    many = [order(n)._replace(customer=f"c{n}", reference=f"r{n}") for n in range(1, 2_001)]
    books.run(lambda tx: insert_orders(tx, many))
    plans: list[str] = []

    def explain(connection: sa.Connection, _cursor: object, sql: str, args: Any, *_: Any) -> None:
        if sql.startswith("SELECT"):
            way = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
            plans.append(str(connection.exec_driver_sql(f"{way} {sql}", args).all()))

    def look(tx: Tx) -> list[str]:
        tx.execute(sa.text("ANALYZE orders"))
        sa.event.listen(books.engine, "after_cursor_execute", explain)
        try:
            return [one.id for one in store.listing(tx, merchant=merchant, limit=10, match=match)]
        finally:
            sa.event.remove(books.engine, "after_cursor_execute", explain)

    assert books.run(look) == [order(7).id]
    assert index in plans[0]
