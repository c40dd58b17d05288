"""Orders of a page with their bodies: JSON, which SQL cannot read on both databases."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from conveyor.checks.columns import on_page
from conveyor.checks.pages import Page
from conveyor.core.gathered import PerTransaction
from conveyor.core.order_status import OrderStatus
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx


class _Row(NamedTuple):
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


class Placed(_Row):
    """What is looked at of an order."""

    @property
    def went_through(self) -> bool:
        """Whether all of its steps are done and stay done: completed, or refunded after it."""
        return self.status == OrderStatus.COMPLETED or self.ending == OrderStatus.REFUNDED

    @cached_property
    def body(self) -> dict[str, Any]:
        """What was placed, as JSON values."""
        read: dict[str, Any] = orjson.loads(self.raw_body)
        return read


_NAMED = {"raw_body": "body"}
_ORDERS = (
    sa.select(*(orders.c[_NAMED.get(name, name)] for name in _Row._fields))
    .where(on_page(orders.c.id))
    .order_by(orders.c.id)
)

_PLACED: PerTransaction[dict[Page, list[Placed]]] = PerTransaction(lambda _: {})


def placed_on(tx: Tx, page: Page, flows: Collection[str] | None = None) -> list[Placed]:
    """Give the orders of a page, those of these flows (by their keys) or all.

    They are read once in a transaction, and their bodies parsed once, however many look at them.
    """
    known = _PLACED.of(tx)
    if page not in known:
        known[page] = list(map(Placed._make, tx.execute(_ORDERS, page.bounds).all()))
    found = known[page]
    return found if flows is None else [order for order in found if order.flow in flows]
