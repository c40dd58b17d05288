"""Lists of orders show what was asked for, and nothing whose name only looks like it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from tests.unit.goods_driver import MERCHANT, Books, insert_orders, order

from conveyor.commerce.orders.order_filter import EVERYTHING, OrderFilter
from conveyor.commerce.orders.search import FEW, search
from conveyor.commerce.orders.skus import order_skus
from conveyor.core.ambient import first_id_at
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.routing_slip import Place
from conveyor.core.tables import parked
from conveyor.core.transaction import Tx

FLOWS = ("shop@1", "shop@2", "shopping@1", "sho%@1", "food@1")
MANY = FEW + 500


def found(books: Books, wanted: OrderFilter, sees: str | None = MERCHANT, **more: Any) -> list[int]:
    given = {"limit": 10, **more}
    orders = books.run(lambda tx: search(tx, wanted, sees=sees, **given))
    return [int(one.id[-6:]) for one in orders]


def one_of_many(number: int, **changes: Any) -> Order:
    """Give an order with an id of its time."""
    identity = f"{first_id_at(number * 1_000)[:-6]}{number:06}"
    return order(number)._replace(id=identity, placed_at=number * 1_000, **changes)


@pytest.mark.parametrize(
    ("flow", "numbers"), [("shop", [2, 1]), ("shopping", [3]), ("sho%", [4]), ("sh", [])]
)
def test_a_flow_is_named_whole_and_in_every_version(
    books: Books, flow: str, numbers: list[int]
) -> None:
    placed = [order(n)._replace(flow=of) for n, of in enumerate(FLOWS, start=1)]
    books.run(lambda tx: insert_orders(tx, placed))
    assert found(books, OrderFilter(flow=flow)) == numbers


SETTLED = {"settled_at": 9_000}
STANDING: dict[str, dict[str, Any]] = {
    "processing": {"position": 1, "settled_at": None},
    "awaiting": {"position": 2, "settled_at": None},
    "compensating": {"position": 1, "ending": "refused", "reason": "why", "settled_at": None},
    "parked": {"position": 1, "settled_at": None},
    "completed": {"position": 5, **SETTLED},
    "cancelled": {"position": -1, "ending": "cancelled", "reason": "ordered twice", **SETTLED},
    "refused": {"position": -1, "ending": "refused", "reason": "why", **SETTLED},
    "refunded": {"position": -1, "ending": "refunded", "reason": "broken", **SETTLED},
}
ALL = range(8, 0, -1)
BY_EACH = [
    (OrderFilter(id=one_of_many(3).id), [3]),
    (OrderFilter(reference="r3"), [3]),
    (OrderFilter(reference=""), []),
    (OrderFilter(customer="c3"), [3]),
    (OrderFilter(email="BUYER.3@example.com"), [3]),
    (OrderFilter(email="buyer"), []),
    (OrderFilter(sku="S3"), [3]),
    (OrderFilter(sku="CD"), [*ALL]),
    (OrderFilter(sku="CD", customer="c3"), [3]),
    *((OrderFilter(status=OrderStatus(it)), [n]) for n, it in enumerate(STANDING, start=1)),
    (OrderFilter(step="x", flow="shop"), [4, 1]),
    (OrderFilter(step="x", status=OrderStatus.PARKED), [4]),
    (OrderFilter(reason="why"), [7, 3]),
    (OrderFilter(reason="why", status=OrderStatus.REFUSED), [7]),
    (OrderFilter(reason=""), [5, 4, 2, 1]),
    (OrderFilter(merchant=MERCHANT), [*ALL]),
    (OrderFilter(merchant="another"), []),
    (OrderFilter(placed_after=3_000, placed_before=5_000), [4, 3]),
    (OrderFilter(settled_after=9_000), [8, 7, 6, 5]),
    (OrderFilter(settled_before=9_000), []),
    (OrderFilter(settled_after=9_000, reason="why", sku="S7", flow="shop"), [7]),
]


@pytest.mark.parametrize("filler", [0, MANY], ids=["few", "many"])
def test_orders_are_found_by_each_filter_and_by_all(books: Books, filler: int) -> None:
    """Beside many, other ways are the shortest."""
    placed = [
        one_of_many(
            n,
            status=status,
            customer=f"c{n}",
            reference=f"r{n}",
            raw_body=f'{{"customer":{{"email":"Buyer.{n}@Example.com"}}}}',
            **standing,
        )
        for n, (status, standing) in enumerate(STANDING.items(), start=1)
    ]
    others = [
        one_of_many(n, merchant="big", status="completed", **STANDING["completed"])
        for n in range(100, 100 + filler)
    ]

    def write(tx: Tx) -> None:
        insert_orders(tx, placed + others)
        for n, one in enumerate(placed, start=1):
            for sku in ("CD", f"S{n}"):
                tx.execute(sa.insert(order_skus), {"sku": sku, "order_id": one.id})
        for one in others:
            tx.execute(sa.insert(order_skus), {"sku": "CD", "order_id": one.id})
        letter = dict.fromkeys(parked.c.keys(), "") | {"was": "processing", "attempts": 1}
        letter |= {"order_id": placed[3].id, "parked_at": 1, "sequence": 0}
        tx.execute(sa.insert(parked), letter)

    books.run(write)
    places = [("shop@1", Place(1))]
    told = [found(books, wanted, places=places) for wanted, _ in BY_EACH]
    assert told == [numbers for _, numbers in BY_EACH]


def test_pages_go_on_where_the_last_one_ended(books: Books) -> None:
    placed = [one_of_many(n, reason="why") for n in range(1, 9)]
    books.run(lambda tx: insert_orders(tx, placed))
    for wanted in (EVERYTHING, OrderFilter(reason="why"), OrderFilter(reason="why", flow="shop")):
        first = found(books, wanted, limit=4)
        rest = found(books, wanted, limit=4, cursor=one_of_many(first[-1]).id)
        assert first + rest == [*ALL]


@contextmanager
def plans_of(books: Books) -> Iterator[list[str]]:
    plans: list[str] = []

    def explain(connection: sa.Connection, _cursor: object, sql: str, args: Any, *_: Any) -> None:
        if sql.startswith("SELECT") and "set_config" not in sql:
            way = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
            plans.append(str(connection.exec_driver_sql(f"{way} {sql}", args).all()))

    sa.event.listen(books.engine, "after_cursor_execute", explain)
    try:
        yield plans
    finally:
        sa.event.remove(books.engine, "after_cursor_execute", explain)


@pytest.mark.parametrize("merchant", [MERCHANT, None])
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (OrderFilter(customer="c7"), "orders_by_customer"),
        (OrderFilter(reference="r7"), "orders_by_reference"),
        (OrderFilter(email="Buyer.7@example.com"), "orders_by_email"),
        (OrderFilter(reason="why 7"), "orders_by_reason"),
        (OrderFilter(reason="why 7", flow="shop"), "orders_by_reason"),
        (OrderFilter(settled_after=1, settled_before=2), "orders_by_settling"),
    ],
)
def test_an_order_is_found_by_its_index_however_many_there_are(
    books: Books, merchant: str | None, wanted: OrderFilter, index: str
) -> None:
    many = [
        order(n)._replace(
            customer=f"c{n}",
            reference=f"r{n}",
            reason=f"why {n}",
            settled_at=1 if n == 7 else None,
            raw_body=f'{{"customer":{{"email":"buyer.{n}@example.com"}}}}',
        )
        for n in range(1, 501)
    ]
    books.run(lambda tx: insert_orders(tx, many))

    def look(tx: Tx) -> list[str]:
        tx.execute(sa.text("ANALYZE orders"))
        with plans_of(books) as plans:
            assert [one.id for one in search(tx, wanted, sees=merchant, limit=10)] == [order(7).id]
        return plans

    assert index in books.run(look)[-1]
