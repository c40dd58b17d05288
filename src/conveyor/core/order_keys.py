"""What orders are found by that is no column of theirs, but a part of one.

An index on it costs what it holds, and a column of its own would be written with every version of
the row. Both databases find such an index by the text of the expression: it is written here alone.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from conveyor.core.statements import made_of
from conveyor.core.untyped import Foreign


class _PartOf(sa.ColumnElement[str]):
    _traverse_internals = made_of("column")

    def __init__(self, column: sa.ColumnElement[str]) -> None:
        """Take it from this column."""
        self.column = column
        self.type = sa.Text()


class flow_name_of(_PartOf):  # noqa: N801 - reads as a function in a `where`
    """The name in a flow's `name@version`."""

    inherit_cache = True


class email_of(_PartOf):  # noqa: N801 - as above
    """The customer's e-mail address in a body, in small letters; null where there is none.

    Small are made the letters of ASCII, and on PostgreSQL those that its collation knows.
    """

    inherit_cache = True


@compiles(flow_name_of, "postgresql")
def _name_postgres(element: flow_name_of, compiler: Foreign, **kwargs: Foreign) -> str:
    return f"split_part({compiler.process(element.column, **kwargs)}, '@', 1)"


@compiles(flow_name_of, "sqlite")
def _name_sqlite(element: flow_name_of, compiler: Foreign, **kwargs: Foreign) -> str:
    column = compiler.process(element.column, **kwargs)
    return f"substr({column}, 1, instr({column}, '@') - 1)"


@compiles(email_of, "postgresql")
def _email_postgres(element: email_of, compiler: Foreign, **kwargs: Foreign) -> str:
    body = compiler.process(element.column, **kwargs)
    return f"lower(CAST({body} AS json) #>> '{{customer,email}}')"


@compiles(email_of, "sqlite")
def _email_sqlite(element: email_of, compiler: Foreign, **kwargs: Foreign) -> str:
    return f"lower(json_extract({compiler.process(element.column, **kwargs)}, '$.customer.email'))"
