"""What the conditions of checks are written with."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

Column = sa.ColumnElement[Any]

_after = sa.bindparam("after", type_=sa.Text)
_upto = sa.bindparam("upto", type_=sa.Text)


def on_page(column: Column) -> Column:
    """Whether an order's id belongs to the page: after `:after`, up to `:upto`."""
    return sa.and_(column > _after, column <= _upto)


def count_if(condition: Column) -> Column:
    """Count the rows for which it is true."""
    return sa.func.count().filter(condition)  # what is not counted costs SQLite no step
