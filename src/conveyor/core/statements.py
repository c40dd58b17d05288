"""Statements of the hot path, whose text never changes.

SQLAlchemy prepares the parameters of every row anew, which for the short rows of a group costs as
much as the database itself. Our columns are texts, integers and truth values, which both drivers
take as they are: so batches are compiled once and then given to the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Self

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

from conveyor.core.set_based import SetBased, set_based
from conveyor.core.untyped import Foreign

Row = Mapping[str, Any]


class PerDialect:
    """A statement that needs the dialect's own insert (for `ON CONFLICT`)."""

    def __init__(self, build: Callable[[Any], sa.Executable]) -> None:
        """Build once for each dialect; `build` is given that dialect's `insert`."""
        self.by_dialect = {"sqlite": build(sqlite.insert), "postgresql": build(postgresql.insert)}


Statement = sa.Executable | PerDialect


class _TextList(sa.TypeDecorator[Sequence[str]]):
    """A list of texts as one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return postgresql.ARRAY(sa.Text) if dialect.name == "postgresql" else sa.Text()

    def process_bind_param(self, value: Sequence[str] | None, dialect: sa.Dialect) -> Foreign:
        return list(value or ()) if dialect.name == "postgresql" else orjson.dumps(value).decode()


class _SortedTextList(_TextList):
    """The same in order: its ends are the bounds of what it holds."""

    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: sa.Dialect) -> Foreign:
        return super().process_bind_param(sorted(value or ()), dialect)


def made_of(*parts: str, **others: InternalTraversal) -> list[tuple[str, InternalTraversal]]:
    """Name what the cache key of a construct of ours is made of: its parts, which are expressions.

    See `HasTraverseInternals` in SQLAlchemy.
    """
    return [*((part, InternalTraversal.dp_clauseelement) for part in parts), *others.items()]


class Asked(sa.ColumnElement[bool]):
    """A condition that stands in a `where` as it is.

    For SQLite, SQLAlchemy compares a truth value of its own kind with 1, and `... IN (...) = 1`
    finds no index: every order that there ever was would be read.
    """

    def self_group(self, against: Foreign = None) -> Self:  # noqa: ARG002 - SQLAlchemy's
        """Need no parentheses, and no comparison."""
        return self


class one_of(Asked):  # noqa: N801 - reads as an operator in a `where`
    """`column IN (...)` with one parameter, however many there are: the text stays the same."""

    inherit_cache = True
    _traverse_internals = made_of("column", "among", bounded=InternalTraversal.dp_boolean)

    def __init__(self, column: sa.ColumnElement[str], name: str, *, bounded: bool = False) -> None:
        """`name` is that of the parameter, a list of texts.

        `bounded`: of ids of orders, in a table that is kept by month. A plan that is made once, for
        any list, opens every month to look for each id, but for those outside of its bounds.
        """
        self.column = column
        self.among = sa.bindparam(name, type_=_SortedTextList() if bounded else _TextList())
        self.bounded = bounded
        self.type = sa.Boolean()


@compiles(one_of, "postgresql")
def _any(element: one_of, compiler: Foreign, **kwargs: Foreign) -> str:
    column, among = (compiler.process(e, **kwargs) for e in (element.column, element.among))
    among_them = f"{column} = ANY({among})"
    if not element.bounded:
        return among_them
    bounds = f"({among})[1] AND ({among})[cardinality({among})]"
    return f"({among_them} AND {column} BETWEEN {bounds})"


@compiles(one_of, "sqlite")
def _each(element: one_of, compiler: Foreign, **kwargs: Foreign) -> str:
    column, among = (compiler.process(e, **kwargs) for e in (element.column, element.among))
    return f"{column} IN (SELECT value FROM json_each({among}))"  # noqa: S608 - both are compiled


HALF = 2**30


def wide_sum(column: sa.ColumnElement[int]) -> tuple[sa.ColumnElement[int], ...]:
    """Sum a column in two parts, for `widened`: SQLite's own sum ends at 64 bits with an error."""
    return tuple(sa.func.coalesce(sa.func.sum(part), 0) for part in (column // HALF, column % HALF))


def widened(parts: Sequence[int]) -> list[int]:
    """Give the sums of which `wide_sum` selected the parts, one after the other."""
    return [int(high) * HALF + int(low) for high, low in zip(parts[::2], parts[1::2], strict=True)]


class _PairList(sa.TypeDecorator[Sequence[tuple[str, str]]]):
    """A list of pairs of texts as one parameter: JSON."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[tuple[str, str]] | None, _: sa.Dialect) -> str:
        return orjson.dumps(value or ()).decode()


class pair_of(Asked):  # noqa: N801 - reads as an operator in a `where`
    """`(first, second) IN (...)` with one parameter; from two pairs on SQLite else reads all."""

    inherit_cache = True
    _traverse_internals = made_of("first", "second", "among")

    def __init__(
        self, first: sa.ColumnElement[str], second: sa.ColumnElement[str], name: str
    ) -> None:
        """`name` is that of the parameter, a list of pairs of texts."""
        self.first = first
        self.second = second
        self.among = sa.bindparam(name, type_=_PairList())
        self.type = sa.Boolean()


@compiles(pair_of, "postgresql")
def _pair_any(element: pair_of, compiler: Foreign, **kwargs: Foreign) -> str:
    pairs = f"jsonb_array_elements(CAST({compiler.process(element.among, **kwargs)} AS jsonb))"
    return _pairs(element, compiler, kwargs, f"pair ->> 0, pair ->> 1 FROM {pairs} AS pair")


@compiles(pair_of, "sqlite")
def _pair_each(element: pair_of, compiler: Foreign, **kwargs: Foreign) -> str:
    pairs = f"json_each({compiler.process(element.among, **kwargs)})"
    picked = "json_extract(value, '$[0]'), json_extract(value, '$[1]')"
    return _pairs(element, compiler, kwargs, f"{picked} FROM {pairs}")


def _pairs(element: pair_of, compiler: Foreign, kwargs: Row, selected: str) -> str:
    first, second = (compiler.process(e, **kwargs) for e in (element.first, element.second))
    return f"({first}, {second}) IN (SELECT {selected})"


@dataclass(frozen=True)
class Prepared:
    """A statement's text with named parameters; `fixed` are those that it brings itself."""

    statement: object  # kept alive: it is known by its id
    sql: str
    fixed: Row
    build_whole: Callable[[], SetBased | None]

    @cached_property
    def whole(self) -> SetBased | None:
        """The same for many rows at once, built for the first of them; None: there is no such."""
        return self.build_whole()

    def bind(self, rows: Sequence[Row]) -> list[Row]:
        """Give the parameters of these rows to the driver."""
        return [{**self.fixed, **row} for row in rows] if self.fixed else list(rows)


_prepared: dict[tuple[int, str], Prepared] = {}
# sqlite3 takes named parameters too: with names both drivers are given the rows as they are.
_NAMED_SQLITE = sqlite.dialect(paramstyle="named")


def prepared(statement: Statement, dialect: sa.Dialect, example: Row) -> Prepared:
    """Give the text of a module's statement; all of its rows have the keys of `example`."""
    key = (id(statement), dialect.name)
    found = _prepared.get(key)
    if found is None:
        found = _prepared[key] = _prepare(statement, dialect, tuple(example))
    return found


def _prepare(statement: Statement, dialect: sa.Dialect, keys: Sequence[str]) -> Prepared:
    plain: Any = statement
    if isinstance(statement, PerDialect):
        plain = statement.by_dialect[dialect.name]
    written_for = _NAMED_SQLITE if dialect.name == "sqlite" else dialect
    compiled = plain.compile(dialect=written_for, column_keys=list(keys), for_executemany=True)
    sql = str(compiled)
    fixed = {name: value for name, value in compiled.params.items() if name not in keys}
    if dialect.name == "sqlite":
        return Prepared(statement, sql, fixed, lambda: None)
    types = {name: compiled.binds[name].type for name in keys}
    if any(isinstance(kind, _TextList | _PairList) for kind in types.values()):
        return Prepared(statement, sql, fixed, lambda: None)  # no array can hold a row's list
    return Prepared(statement, sql, fixed, partial(set_based, plain, types, dialect))
