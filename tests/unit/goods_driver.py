"""Orders and a database for the steps of inventory and shipping, without queues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import orjson
import sqlalchemy as sa

from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.settings import Settings
from conveyor.system.installation import installation
from conveyor.system.tables import tables_of

T = TypeVar("T")

TABLES = list(tables_of(installation(Settings())))
NOW_MS = 1_700_000_000_000
MERCHANT = "acme"
ADDRESS = {"name": "Ada Example", "line1": "1 Long Road", "city": "Springfield", "country": "US"}


def order(
    number: int,
    *items: tuple[str, int],
    merchant: str = MERCHANT,
    status: OrderStatus = OrderStatus.PROCESSING,
    address: dict[str, str] | None = None,
) -> Order:
    """Give an order as the core loads it, of `(sku, quantity)` items."""
    body = {
        "items": [{"sku": sku, "quantity": quantity} for sku, quantity in items],
        "shipping": ADDRESS if address is None else address,
    }
    return Order(
        id=f"{number:026d}",
        merchant=merchant,
        flow="shop@1",
        reference=f"r-{number}",
        customer="c",
        currency="USD",
        total=100,
        raw_body=orjson.dumps(body).decode(),
        version=1,
        status=status,
        position=1,
        ending="",
        reason="",
        cancelling=False,
        group_key="",
        expected_at=NOW_MS,
        placed_at=NOW_MS,
        updated_at=NOW_MS,
        settled_at=None,
    )


def insert_orders(tx: Tx, group: Sequence[Order]) -> None:
    """Write the rows of orders."""
    for one in group:
        row = {column.name: getattr(one, column.name, None) for column in orders.c}
        tx.execute(sa.insert(orders), row | {"body": one.raw_body})


class Books:
    """A database with all tables, used by one thread: transactions without a loop."""

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        for tables in TABLES:
            tables.create_all(self.engine)

    @contextmanager
    def tx(self) -> Iterator[Tx]:
        """Commit at the end; roll back if anything raises."""
        with self.engine.begin() as connection:
            tx = Tx(connection)
            yield tx
            tx.flush()

    def run(self, work: Callable[[Tx], T]) -> T:
        """Run one function in one transaction."""
        with self.tx() as tx:
            return work(tx)

    def clear(self) -> None:
        """Empty all tables."""
        with self.engine.begin() as connection:
            for table in (table for it in TABLES for table in it.sorted_tables):
                connection.execute(sa.delete(table))

    def close(self) -> None:
        self.engine.dispose()
