"""The demonstration: a thousand real orders, some of which go wrong in every way that we know.

The orders are real (see `cdnow`); what the file does not say is set here, by their number: which
of three SKUs the CDs are, how they are paid, and how much stock there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import sqlalchemy as sa

from conveyor.app.cdnow import Purchase, order_body, packaged_purchases
from conveyor.messaging.order import AWAITING, COMPLETED, PARKED
from conveyor.messaging.registry import Registry
from conveyor.messaging.routing_slip import Place, owed
from conveyor.messaging.tables import orders
from conveyor.messaging.transaction import Tx
from conveyor.settings import DATABASE_FILE, EMBEDDED, Settings

ORDERS_FILE = "orders.jsonl"
IN_FLIGHT = 250
"""Orders under way at a time: few enough that one can watch them."""

# A CD's SKU by its price in cents, and the units that there are of it: imports run out.
CHEAP_BELOW, REGULAR_BELOW = 1_200, 1_450
STOCK = {"CD-BARGAIN": 1_000, "CD-REGULAR": 2_000, "CD-IMPORT": 700}

# Every so many orders, beginning with the given one, are paid in another way.
CARDS = (
    ("card_down", 450, 404),
    ("card_declined", 25, 10),
    ("card_insufficient_funds", 40, 7),
    ("card_flaky", 33, 5),
    ("card_unanswered", 50, 11),
)


def demo_settings(data: Path) -> Settings:
    """Embedded whatever the environment says, and in a world that takes its time."""
    return Settings(
        data=data,
        database_url="",
        queue_url=EMBEDDED,
        webhook_url="",
        webhook_secret="",
        payment_latency_seconds=0.05,
        delivery_delay_seconds=1.5,
        backoff_base_seconds=0.5,
        max_receives=4,
    )


def is_fresh(data: Path) -> bool:
    """Whether there is nothing in the directory that the demonstration would add to."""
    return not (data / DATABASE_FILE).exists()


def write_orders(data: Path) -> Path:
    """Write the orders as `conveyor replay` takes them; gives the file."""
    data.mkdir(parents=True, exist_ok=True)
    path = data / ORDERS_FILE
    path.write_bytes(b"".join(_lines()))
    return path


def sku_of(purchase: Purchase) -> str:
    """Tell the SKU by what one CD of the purchase cost."""
    price = purchase.total / purchase.quantity
    if price < CHEAP_BELOW:
        return "CD-BARGAIN"
    return "CD-REGULAR" if price < REGULAR_BELOW else "CD-IMPORT"


def card_of(purchase: Purchase) -> str:
    """Tell the payment method by the purchase's number."""
    for method, every, first in CARDS:
        if purchase.number % every == first % every and purchase.number >= first:
            return method
    return "card_ok"


def orders_by_step(tx: Tx, registry: Registry) -> Counter[str]:
    """Count orders by the step they are owed, or await an answer at, or else by their status."""
    row = orders.c
    where = (row.flow, row.position, row.ending, row.status)
    is_open = row.settled_at.is_(None)
    query = sa.select(*where, sa.func.count()).where(is_open).group_by(*where)
    counts: Counter[str] = Counter()
    for flow, position, ending, status, count in tx.execute(query):
        step = owed(registry.flow(flow), Place(position, ending))
        counts[_where(status, step)] += count
    ended = sa.select(row.status, sa.func.count()).where(sa.not_(is_open)).group_by(row.status)
    for status, count in tx.execute(ended):
        counts[status] += count
    return counts


def worth_a_look(tx: Tx) -> dict[str, str]:
    """Give an order of each kind that has a story to tell, with what is special about it."""
    told: dict[str, str] = {}
    for condition, why in _STORIES:
        query = sa.select(orders.c.id).where(condition).order_by(orders.c.id).limit(1)
        found = tx.execute(query).scalar()
        if found is not None:
            told[found] = why
    return told


def _paid(status: str, method: str) -> sa.ColumnElement[bool]:
    return sa.and_(orders.c.status == status, orders.c.body.contains(f'"{method}"'))


_STORIES = (
    (_paid(COMPLETED, "card_flaky"), "its card failed twice, then worked"),
    (_paid(COMPLETED, "card_unanswered"), "it was charged, and no answer came"),
    (orders.c.reason.startswith("sold out"), "sold out: what was authorized is let go"),
    (_paid(PARKED, "card_down"), "parked: its bank is down"),
)


def _where(status: str, step: str) -> str:
    if status == PARKED:
        return PARKED
    return f"{step}, awaiting" if status == AWAITING else step


def _lines() -> Iterator[bytes]:
    for purchase in packaged_purchases():
        body = order_body(purchase, sku=sku_of(purchase), method=card_of(purchase))
        yield orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
