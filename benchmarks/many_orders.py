"""A million orders to look for, written as fast as a database takes them.

Nobody placed them: they have what a search reads, and nothing else. What is rare is really rare,
and what happened at one time lies together, as it does in life.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from conveyor.commerce.orders.skus import order_skus
from conveyor.core.ambient import first_id_at
from conveyor.core.tables import orders, parked

BEGAN_MS = 1_760_000_000_000
APART_MS = 1_000
"""Between an order and the next: a million in some twelve days."""
A_DAY_MS = 86_400_000
LIFE_MS = 7_000
BATCH = 5_000
NUMBER_DIGITS = 12
CUSTOMERS, SKUS = 50_000, 20_000
OPEN = 0.02
"""The part of the newest that is still open."""
REASON, INCIDENT = "card_declined", "provider_down"


def fill(url: str, count: int) -> None:
    """Write so many orders; nothing else uses the database."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for start in range(0, count, BATCH):
            rows = [_order(number, count) for number in range(start, min(start + BATCH, count))]
            connection.execute(sa.insert(orders), rows)
            connection.execute(sa.insert(order_skus), [it for row in rows for it in _skus(row)])
            if letters := [_letter(row) for row in rows if row["status"] == "parked"]:
                connection.execute(sa.insert(parked), letters)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM (ANALYZE)"))
    engine.dispose()


def placed_at(number: int) -> int:
    """Give when the order of this number was placed."""
    return BEGAN_MS + number * APART_MS


def id_of(number: int) -> str:
    """Give the id of the order of this number."""
    return f"{first_id_at(placed_at(number))[:-NUMBER_DIGITS]}{number:0{NUMBER_DIGITS}}"


def _order(number: int, count: int) -> dict[str, Any]:
    customer = "house" if number % 100 == 1 else f"c{number % CUSTOMERS}"
    body = {
        "currency": "USD",
        "customer": {"email": f"Buyer.{customer}@Example.com", "id": customer},
        "items": [{"quantity": 1, "sku": sku, "unit_price": 1177} for sku in _wanted(number)],
        "payment": {"method": "card_ok"},
        "shipping": {"city": "Springfield", "country": "US", "name": "A. Buyer"},
        "total": 2354,
    }
    at = placed_at(number)
    return {
        "id": id_of(number),
        "merchant": "small" if number % 1_000 == 7 else f"m{min(number % 10 // 4, 1)}",
        "flow": f"{_flow(number)}@1",
        "reference": f"R{number}",
        "customer": customer,
        "currency": "USD",
        "total": 2354,
        "body": json.dumps(body, separators=(",", ":")),
        "version": 6,
        "sequence": 0,
        "group_key": "",
        "stage": 0,
        "begun": False,
        "cancelling": False,
        "expected_at": at,
        "placed_at": at,
        "updated_at": at + LIFE_MS,
        **_standing(number, count, at),
    }


def _flow(number: int) -> str:
    if number % 1_000 == 11:
        return "renewal"
    return "food" if number % 5 == 2 else "shop"


def _wanted(number: int) -> tuple[str, str]:
    usual = "CD" if number % 3 == 0 else f"S{number % 997}"
    return usual, f"T{number % SKUS}"


def _standing(number: int, count: int, at: int) -> dict[str, Any]:
    """Say how it stands: of the newest some are open, and one incident was long ago."""
    forward = {"ending": "", "reason": "", "position": 5}
    if number > count * (1 - OPEN):
        status = "parked" if number % 40 == 3 else "processing" if number % 9 == 4 else "awaiting"
        if number % 200 == 5:
            back = {"status": "compensating", "ending": "refused", "reason": REASON, "position": 0}
            return back | {"settled_at": None}
        return forward | {"status": status, "settled_at": None, "position": number % 4}
    settled_at = at + (5 * A_DAY_MS if number % 500 == 9 else LIFE_MS)
    if count * 0.1 < number < count * 0.13:
        return _ended("refused", INCIDENT, settled_at)
    if number % 25 == 6:
        return _ended("refused", REASON, settled_at)
    if number % 100 == 12:
        return _ended("cancelled", "ordered twice", settled_at)
    return forward | {"status": "completed", "settled_at": settled_at}


def _ended(status: str, reason: str, at: int) -> dict[str, Any]:
    return {"status": status, "ending": status, "reason": reason, "position": -1, "settled_at": at}


def _skus(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in json.loads(row["body"])["items"]:
        yield {"sku": item["sku"], "order_id": row["id"]}


def _letter(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "order_id": row["id"],
        "was": "processing",
        "queue": "payments",
        "group_key": "",
        "step": "payments.authorize",
        "cause": "TimeoutError",
        "attempts": 3,
        "traceback": "",
        "parked_at": row["updated_at"],
        "sequence": 0,
    }
