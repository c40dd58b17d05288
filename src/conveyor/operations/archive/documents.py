"""All that the database keeps of an order, as one document: its rows, table by table, and facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from conveyor.commerce.orders.skus import order_skus
from conveyor.commerce.orders.store import idempotency
from conveyor.commerce.payments.store import payments
from conveyor.core.archived import archived_orders
from conveyor.core.operator_actions import operator_actions
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.statements import one_of
from conveyor.core.tables import MONTHLY, calls, orders, outbox, parked, timeline
from conveyor.core.transaction import Tx
from conveyor.extension import Extension

MOVED = (orders, timeline, calls, payments, order_skus)
"""Tables of which an order's rows go into the archive, and out of the database."""
COPIED = (idempotency,)
"""Of which they go into the archive and stay: a key places one order, for as long as it is kept."""
LEFT = (operator_actions, archived_orders)
"""Of which they stay: a log that is never changed, and what is known of archived orders."""
EMPTY = (outbox, parked)
"""Of which an order that is archived has none."""

_BODY = "body"


@dataclass(frozen=True, slots=True)
class Document:
    """A line of a file. `facts` are what the order's flow told of it when it was archived."""

    order_id: str
    rows: dict[str, list[dict[str, Any]]]
    facts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def order(self) -> Order:
        """Give the order itself."""
        (row,) = self.rows[orders.name]
        known = {("raw_body" if name == _BODY else name): it for name, it in row.items()}
        known["status"] = OrderStatus(row["status"])
        return Order(**{name: known[name] for name in Order._fields if name in known})

    def line(self) -> bytes:
        """Write it as JSON, in one line."""
        said = {"order": self.order_id, "rows": self.rows, "facts": self.facts}
        # Names of tables and columns are strings of SQLAlchemy's own kind.
        return orjson.dumps(said, default=str, option=orjson.OPT_NON_STR_KEYS)

    @classmethod
    def read(cls, line: bytes | str) -> Document:
        """Read what `line` gives."""
        said = orjson.loads(line)
        return cls(said["order"], said["rows"], said["facts"])


@dataclass(frozen=True, slots=True)
class Kept:
    """A table with rows of orders: how they are read and, where they go, deleted."""

    table: sa.Table
    read: sa.Select[Any]
    delete: sa.Delete | None


class Reader:
    """Reads and deletes what is kept of orders, in the core's tables and those of extensions."""

    def __init__(self, extensions: Iterable[Extension]) -> None:
        belongings = [table for it in extensions for table in it.belongings]
        moved = [_kept(table, moves=True) for table in (*MOVED, *belongings)]
        self._kept = [*moved, *(_kept(table, moves=False) for table in COPIED)]

    def read(
        self, tx: Tx, order_ids: Sequence[str], tell: Callable[[Order], list[dict[str, Any]]]
    ) -> list[Document]:
        """Read these orders, in this order, those that are there; `tell` gives the facts of one."""
        rows: dict[str, dict[str, list[dict[str, Any]]]] = {it: {} for it in order_ids}
        asked = {"ids": list(order_ids)}
        for kept in self._kept:
            of_order = _order_id(kept.table).name
            for row in tx.execute(kept.read, asked).mappings():
                whose = rows[row[of_order]].setdefault(kept.table.name, [])
                whose.append({name: _plain(value) for name, value in row.items()})
        # Of one that somebody else has archived meanwhile there are rows that stay.
        there = (order_id for order_id in order_ids if orders.name in rows[order_id])
        found = [Document(order_id, rows[order_id]) for order_id in there]
        return [Document(it.order_id, it.rows, tell(it.order)) for it in found]

    def delete(self, tx: Tx, order_ids: Sequence[str]) -> None:
        """Delete what goes with these orders, and themselves."""
        for kept in self._kept:
            if kept.delete is not None:
                tx.execute(kept.delete, {"ids": list(order_ids)})


def _kept(table: sa.Table, *, moves: bool) -> Kept:
    of_order = _order_id(table)
    among = one_of(of_order, "ids", bounded=table.name in MONTHLY)
    in_order = table.primary_key.columns or (table.c.id if "id" in table.c else of_order,)
    read = sa.select(table).where(among).order_by(*in_order)
    return Kept(table, read, sa.delete(table).where(among) if moves else None)


def _order_id(table: sa.Table) -> sa.Column[str]:
    return table.c.id if table is orders else table.c.order_id


def _plain(value: object) -> object:
    """Give it as JSON gives it back, so that what was written can be compared with what is."""
    return orjson.loads(orjson.dumps(value, default=str))
