"""One statement for a whole batch, on PostgreSQL: its rows come as one array for each parameter.

`UPDATE t SET a = %(a)s WHERE id = %(id)s`, executed for 200 rows, becomes
`UPDATE t SET a = v.a FROM unnest(%(a)s, %(id)s) AS v(a, id) WHERE id = v.id`, executed once, which
costs both the server and our process a fraction of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import visitors

from conveyor.core.untyped import Foreign

MIN_ROWS = 4
"""With fewer, one by one is as good."""

LEAST, MOST = "least_of_all", "most_of_all"
Types = Mapping[str, sa.types.TypeEngine[Any]]
Rows: TypeAlias = sa.TableValuedAlias


@dataclass(frozen=True, slots=True)
class SetBased:
    """A statement over arrays; `key` names the parameters that find its rows.

    `fixed` are the parameters that it brings itself. In a table that is kept by month, `bounded` is
    the one that has orders' ids: no month is opened that is not between the least and the most.
    """

    sql: str
    names: tuple[str, ...]
    key: tuple[str, ...]
    fixed: Mapping[str, Any]
    bounded: str = ""

    def bind(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        """Give its parameters; None when two rows may meet: a statement changes a row only once."""
        if self.key and len({tuple(row[k] for k in self.key) for row in rows}) < len(rows):
            return None
        given = {**self.fixed, **{name: [row[name] for row in rows] for name in self.names}}
        if self.bounded:
            given[LEAST], given[MOST] = min(given[self.bounded]), max(given[self.bounded])
        return given


def set_based(statement: object, types: Types, dialect: sa.Dialect) -> SetBased | None:
    """Rewrite a statement; None for one of another form, which is then run row by row.

    `types` are those of the parameters that differ from row to row.
    """
    if any(isinstance(kind, sa.types.NullType) for kind in types.values()):
        return None
    if not isinstance(statement, sa.Insert | sa.Update | sa.Delete) or not _is_plain(statement):
        return None
    rows, bounded = _rows(types), ""
    if isinstance(statement, sa.Insert):
        rewritten, key = _insert(statement, rows), _conflicts_by(statement)
        if not set(key) <= set(types):
            return None
    else:
        rewritten, key = _with_rows(statement, rows), _found_by(statement, types)
        if bounded := _month_by(statement):
            least, most = (sa.bindparam(name, type_=sa.Text) for name in (LEAST, MOST))
            rewritten = rewritten.where(statement.table.c.order_id.between(least, most))
    compiled = rewritten.compile(dialect=dialect)
    fixed = {name: value for name, value in compiled.params.items() if name not in types}
    return SetBased(str(compiled), tuple(types), key, fixed, bounded)


def _month_by(statement: sa.Update | sa.Delete) -> str:
    """Name the parameter that the id of an order is held against; '' where that says no month."""
    where, table = statement.whereclause, statement.table
    if where is None or not isinstance(table, sa.Table):
        return ""
    if not table.dialect_options["postgresql"]["partition_by"]:
        return ""
    held = (it for it in visitors.iterate(where) if isinstance(it, sa.BinaryExpression))
    names = (
        it.right.key
        for it in held
        if it.left is table.c.order_id and isinstance(it.right, sa.BindParameter)
    )
    return next(names, "")


def _is_plain(statement: sa.Insert | sa.Update | sa.Delete) -> bool:
    selects = any(isinstance(part, sa.Select) for part in visitors.iterate(statement))
    return not selects and not statement.returning_column_descriptions


def _rows(types: Types) -> Rows:
    arrays = [sa.bindparam(name, type_=postgresql.ARRAY(kind)) for name, kind in types.items()]
    columns = [sa.column(name, kind) for name, kind in types.items()]
    return sa.func.unnest(*arrays).table_valued(*columns).render_derived(name="v")


def _with_rows(whole: Foreign, rows: Rows) -> Foreign:
    """Give the same with a column of `rows` for each parameter."""

    def column(element: Foreign, **_: Foreign) -> Foreign:
        known = isinstance(element, sa.BindParameter) and element.key in rows.c
        return rows.c[element.key] if known else None

    return visitors.replacement_traverse(whole, {}, column)


def _insert(statement: sa.Insert, rows: Rows) -> sa.Insert:
    """Select what was to be inserted; what is done on a conflict stays."""
    given: Foreign = getattr(statement, "_values", None) or {}
    values = {getattr(name, "name", name): value for name, value in given.items()}
    columns: dict[str, Foreign] = {}
    for column in statement.table.c:
        if column.name in values:  # NULL too needs a type, where it is selected
            value = sa.type_coerce(values[column.name], column.type)
            columns[column.name] = _with_rows(value, rows)
        elif column.name in rows.c:
            columns[column.name] = rows.c[column.name]
    selected = sa.select(*columns.values()).select_from(rows)
    rewritten = postgresql.insert(statement.table).from_select(list(columns), selected)
    rewritten._post_values_clause = _on_conflict(statement)  # noqa: SLF001 - no other way to keep it
    return rewritten


# SQLAlchemy has no public way to ask an INSERT what it brings, or does on a conflict. Were these
# two attributes to change, the databases' conformance tests of batches would fail.
def _on_conflict(statement: sa.Insert) -> Foreign:
    return getattr(statement, "_post_values_clause", None)


def _conflicts_by(statement: sa.Insert) -> tuple[str, ...]:
    conflict = _on_conflict(statement)
    elements = conflict.inferred_target_elements if conflict is not None else ()
    return tuple(getattr(element, "name", element) for element in elements or ())


def _found_by(statement: sa.Update | sa.Delete, types: Types) -> tuple[str, ...]:
    where = statement.whereclause
    parts: Iterable[Foreign] = () if where is None else visitors.iterate(where)
    names = (part.key for part in parts if isinstance(part, sa.BindParameter))
    return tuple(dict.fromkeys(name for name in names if name in types))
