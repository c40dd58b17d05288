"""How many orders were ever placed, counted apart from the orders themselves.

An order that is deleted with all that belongs to it leaves no trace but this: the audit compares.
Each connection of the server counts in a row of its own, so that no two wait for each other; one
statement counts a whole group.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from conveyor.core.tables import orders, placed_counts
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert, Foreign


class _ThisConnection(sa.sql.functions.FunctionElement[int]):
    """A number that no other open connection has."""

    type = sa.Integer()
    inherit_cache = True


@compiles(_ThisConnection, "postgresql")
def _process_id(_element: _ThisConnection, _compiler: Foreign, **_: Foreign) -> str:
    return "pg_backend_pid()"


@compiles(_ThisConnection, "sqlite")
def _only_one(_element: _ThisConnection, _compiler: Foreign, **_: Foreign) -> str:
    return "0"


def _count(insert: DialectInsert) -> sa.Executable:
    row = insert(placed_counts).values(
        connection=_ThisConnection(), orders=sa.bindparam("b_orders", type_=sa.BigInteger)
    )
    upsert: sa.Executable = row.on_conflict_do_update(
        index_elements=["connection"],
        set_={"orders": placed_counts.c.orders + row.excluded.orders},
    )
    return upsert


_COUNT = PerDialect(_count)
_PLACED = sa.select(sa.func.coalesce(sa.func.sum(placed_counts.c.orders), 0))
_COMPARE = sa.select(
    _PLACED.scalar_subquery(),
    sa.select(sa.func.count()).select_from(orders).scalar_subquery(),
)


def count_one(tx: Tx) -> None:
    """Count an order that this transaction places."""
    tx.add(_COUNT, {}, {"b_orders": 1})


def placed(tx: Tx) -> int:
    """Give how many orders were placed."""
    return int(tx.execute(_PLACED).scalar_one())


def compare(tx: Tx) -> tuple[int, int]:
    """Give how many orders were placed, and how many there are."""
    placed, there = tx.execute(_COMPARE).one()
    return int(placed), int(there)
