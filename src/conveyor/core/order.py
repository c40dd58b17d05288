"""An order as the core and the steps see it, and how a group of them is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson
import sqlalchemy as sa

from conveyor.core.body import read_body
from conveyor.core.order_status import OrderStatus
from conveyor.core.statements import one_of
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx

T = TypeVar("T")


class _Row(NamedTuple):
    id: str
    merchant: str
    flow: str
    reference: str
    customer: str
    currency: str
    total: int
    raw_body: str
    version: int
    status: OrderStatus
    position: int
    ending: str
    reason: str
    cancelling: bool
    group_key: str
    expected_at: int
    placed_at: int
    updated_at: int
    settled_at: int | None
    stage: int = 0
    sequence: int = 0
    begun: bool = False
    traceparent: str | None = None


class Order(_Row):
    """One row of `orders`, and what was read of its body."""

    @property
    def body(self) -> dict[str, Any]:
        """What was placed, as JSON values: for what shows or looks through any order."""
        parsed: dict[str, Any] = orjson.loads(self.raw_body)
        return parsed

    def body_as(self, kind: type[T]) -> T:
        """Give what was placed as a dataclass or model, read once: see `read_body`."""
        # Not by `cached_property`, whose lock costs as much as the reading.
        known: dict[type[Any], Any] = self.__dict__.setdefault("_read", {})
        if kind not in known:
            known[kind] = read_body(self.raw_body, kind)
        read: T = known[kind]
        return read

    @property
    def backwards(self) -> bool:
        """Whether its steps are being undone."""
        return self.ending != ""


# By id, so that two groups that share orders lock them in one order and cannot deadlock.
_LOAD = sa.select(orders).where(one_of(orders.c.id, "ids")).order_by(orders.c.id)
_LOCK = _LOAD.with_for_update()
_LOCK_UNHELD = _LOAD.with_for_update(skip_locked=True)


def load(tx: Tx, ids: Sequence[str], *, lock: bool = True) -> dict[str, Order]:
    """Load orders by id, locked until the transaction ends; ids that do not exist are left out."""
    return _loaded(tx, _LOCK if lock else _LOAD, ids)


def load_unheld(tx: Tx, ids: Iterable[str]) -> dict[str, Order]:
    """Load and lock those of these orders that nobody else holds: to wait could be a deadlock."""
    return _loaded(tx, _LOCK_UNHELD, ids)


def _loaded(tx: Tx, query: sa.Executable, ids: Iterable[str]) -> dict[str, Order]:
    rows = tx.execute(query, {"ids": list(ids)}).all()
    return {row[0]: Order._make(row) for row in rows}
