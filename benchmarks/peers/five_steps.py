"""The work that every peer does for an order: the same five steps, each one small durable write.

It is less than Conveyor does for the same order (no timeline, no intents, no provider, no outbox),
so the comparison leans towards the peers.
"""

import json
import sys
from collections.abc import Iterator
from typing import NamedTuple

# Many articles, so that a peer's transactions rarely wait for one another's stock row.
ARTICLES = 100
PRICE = 1177

TABLES = (
    "CREATE TABLE orders (id TEXT PRIMARY KEY, status TEXT NOT NULL, total BIGINT NOT NULL)",
    "CREATE TABLE payments (id TEXT PRIMARY KEY, status TEXT NOT NULL, amount BIGINT NOT NULL)",
    "CREATE TABLE stock (sku TEXT PRIMARY KEY, available BIGINT NOT NULL)",
    "CREATE TABLE shipments (id TEXT PRIMARY KEY, status TEXT NOT NULL)",
)
PLACE = "INSERT INTO orders VALUES (:order, 'placed', :total)"
STOCK = "INSERT INTO stock VALUES (:sku, 1000000)"
COMPLETED = "SELECT count(*) FROM orders WHERE status = 'completed'"

# In the order in which they happen. Inserts bear being repeated, as an at-least-once step must.
STEPS = {
    "authorize": (
        "INSERT INTO payments VALUES (:order, 'authorized', :total) ON CONFLICT (id) DO NOTHING"
    ),
    "reserve": "UPDATE stock SET available = available - 1 WHERE sku = :sku AND available > 0",
    "capture": "UPDATE payments SET status = 'captured' WHERE id = :order",
    "ship": "INSERT INTO shipments VALUES (:order, 'sent') ON CONFLICT (id) DO NOTHING",
    "complete": "UPDATE orders SET status = 'completed' WHERE id = :order",
}


class Order(NamedTuple):
    """An order as plain values; `_asdict()` gives the parameters of every statement above."""

    order: str
    sku: str
    total: int


def orders(count: int, prefix: str = "order") -> Iterator[Order]:
    """Give that many orders, spread evenly over the articles."""
    for number in range(count):
        yield Order(f"{prefix}-{number}", f"sku-{number % ARTICLES}", PRICE)


def articles() -> list[dict[str, str]]:
    """Give the parameters of STOCK for every article."""
    return [{"sku": f"sku-{number}"} for number in range(ARTICLES)]


def report(system: str, count: int, seconds: float, **facts: object) -> None:
    """Print one JSON object on standard output: what a runner reads."""
    rate = round(count / seconds, 1)
    figures = {"orders": count, "seconds": round(seconds, 3), "orders_per_second": rate}
    sys.stdout.write(json.dumps({"system": system, **figures, **facts}) + "\n")
    sys.stdout.flush()
