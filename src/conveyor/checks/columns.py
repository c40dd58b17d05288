"""What the conditions of checks are written with."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from conveyor.core.order_status import OrderStatus
from conveyor.core.tables import orders

Column = sa.ColumnElement[Any]

_after = sa.bindparam("after", type_=sa.Text)
_upto = sa.bindparam("upto", type_=sa.Text)


def on_page(column: Column) -> Column:
    """Whether an order's id belongs to the page: after `:after`, up to `:upto`."""
    return sa.and_(column > _after, column <= _upto)


def went_through() -> Column:
    """Whether all of an order's steps are done and stay done: completed, or refunded after it."""
    return sa.or_(orders.c.status == OrderStatus.COMPLETED, orders.c.ending == OrderStatus.REFUNDED)


def count_if(condition: Column) -> Column:
    """Count the rows for which it is true."""
    return sa.func.count().filter(condition)  # what is not counted costs SQLite no step
