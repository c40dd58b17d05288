"""Orders of a page with their bodies: JSON, which SQL cannot read on both databases."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from conveyor.checks.columns import on_page
from conveyor.checks.pages import Page
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx


class Placed(NamedTuple):
    """What is looked at of an order."""

    id: str
    merchant: str
    flow: str
    reference: str
    customer: str
    currency: str
    total: int
    raw_body: str
    status: str
    position: int
    ending: str

    @property
    def body(self) -> dict[str, Any]:
        """Give what was placed, as JSON values."""
        read: dict[str, Any] = orjson.loads(self.raw_body)
        return read


_NAMED = {"raw_body": "body"}
_ORDERS = (
    sa.select(*(orders.c[_NAMED.get(name, name)] for name in Placed._fields))
    .where(on_page(orders.c.id))
    .order_by(orders.c.id)
)


def placed_on(tx: Tx, page: Page, flows: Collection[str] | None = None) -> list[Placed]:
    """Give the orders of a page, those of these flows (by their keys) or all."""
    query = _ORDERS if flows is None else _ORDERS.where(orders.c.flow.in_(sorted(flows)))
    return list(map(Placed._make, tx.execute(query, page.bounds).all()))
