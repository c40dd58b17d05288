"""A database with as many settled orders as one likes, without the days it takes to place them.

Orders that Conveyor itself placed and settled are copied, row by row in all tables that know them,
with ids, keys and times of their own: what they leave behind is exactly what real ones leave. The
copies are written oldest first, as they would have come, so that tables and indexes grow as they do
in life. Audits of the result are clean.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from conveyor.core.ambient import ULID_ALPHABET

MINUTE_MS = 60_000
"""Between a copy of all the orders and the next."""
ULID_TIME_DIGITS = 10
ULID_BASE = 32
DIGEST_DIGITS = 32

# Written as fast as possible, then brought to disk once.
LOADING = {
    "sqlite": ("PRAGMA synchronous=OFF", "PRAGMA cache_size=-262144"),
    "postgresql": ("SET synchronous_commit=off",),
}
LOADED = {
    "sqlite": ("PRAGMA wal_checkpoint(TRUNCATE)",),
    "postgresql": ("VACUUM (ANALYZE)", "CHECKPOINT"),
}


def multiply(url: str, order_ids: Sequence[str], copies: int) -> None:
    """Make `copies` of these settled orders out of each, in one database; nothing else uses it."""
    with _connection(url) as connection:
        everything = sa.MetaData()
        everything.reflect(connection)
        replayed = _digest(connection, everything)
        tables = [
            _Table(table, connection, order_ids, replayed)
            for table in everything.sorted_tables
            if _of_order(table) is not None
        ]
        connection.execute(sa.text("CREATE TEMP TABLE pairs (old TEXT PRIMARY KEY, new TEXT)"))
        connection.commit()
        for copy in reversed(range(copies)):
            _write_copy(connection, tables, order_ids, copy)
        if (counts := everything.tables.get("placed_counts")) is not None:
            connection.execute(sa.update(counts).values(orders=counts.c.orders * copies))
        if (stock := everything.tables.get("stock")) is not None:
            added = stock.c.sold * (copies - 1)
            values = {"received": stock.c.received + added, "sold": stock.c.sold + added}
            connection.execute(sa.update(stock).values(values))
            connection.commit()


@contextmanager
def _connection(url: str) -> Iterator[sa.Connection]:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(parsed)
    with engine.connect() as connection:
        for setting in LOADING[engine.dialect.name]:
            connection.execute(sa.text(setting))
        connection.commit()
        yield connection
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in LOADED[engine.dialect.name]:
            connection.execute(sa.text(statement))
    engine.dispose()


def _write_copy(
    connection: sa.Connection, tables: Sequence["_Table"], order_ids: Sequence[str], copy: int
) -> None:
    earlier = copy * MINUTE_MS
    pairs = [{"old": old, "new": _earlier(old, earlier)} for old in order_ids]
    connection.execute(sa.text("DELETE FROM pairs"))
    connection.execute(sa.insert(_PAIRS), pairs)
    digest = sha256(str(copy).encode()).hexdigest()[:DIGEST_DIGITS]
    for table in tables:
        connection.execute(table.copy, {"earlier": earlier, "digest": digest})
    connection.commit()


_DIGEST = sa.bindparam("digest", type_=sa.Text)
_PAIRS = sa.table("pairs", sa.column("old"), sa.column("new"))


class _Table:
    """A table with rows of orders; they are taken out, and `copy` writes them anew."""

    def __init__(
        self,
        table: sa.Table,
        connection: sa.Connection,
        order_ids: Sequence[str],
        replayed: str,
    ) -> None:
        original = f"original_{table.name}"
        # On PostgreSQL a timeline has no key, but its numbers.
        key = list(table.primary_key) or [table.c.id]
        sorting = ", ".join(column.name for column in key)
        take = f'CREATE TEMP TABLE {original} AS SELECT * FROM "{table.name}" ORDER BY {sorting}'  # noqa: S608
        connection.execute(sa.text(take))
        connection.execute(sa.delete(table))
        rows = sa.table(original, *(sa.column(column.name) for column in table.c))
        found = connection.execute(sa.select(rows).limit(1)).first()
        example: Mapping[str, object] = found._asdict() if found else {}
        of_order = rows.c[_of_order(table).name]  # type: ignore[union-attr]
        kept = [column for column in table.c if not _is_counted(column)]
        values = [
            sa.func.replace(rows.c.detail, replayed, _DIGEST)  # its story tells an order's key
            if (table.name, column.name) == ("timeline", "detail")
            else _anew(rows.c[column.name], column, example, order_ids)
            for column in kept
        ]
        chosen = (
            sa.select(*values)
            .join_from(rows, _PAIRS, _PAIRS.c.old == of_order)
            .order_by(*(rows.c[column.name] for column in table.primary_key))
        )
        self.copy = sa.insert(table).from_select([column.name for column in kept], chosen)


def _digest(connection: sa.Connection, everything: sa.MetaData) -> str:
    """Give the digest with which the keys of the originals begin: all are of one replay."""
    keys = everything.tables.get("idempotency_keys")
    if keys is None:
        return ""
    return str(connection.execute(sa.select(keys.c.key).limit(1)).scalar_one())[:DIGEST_DIGITS]


def _of_order(table: sa.Table) -> sa.Column[str] | None:
    """Give the column that says whose row it is."""
    return table.c.id if table.name == "orders" else table.c.get("order_id")


def _is_counted(column: sa.Column[object]) -> bool:
    """Whether the database numbers the rows itself, as in the timeline."""
    return column.primary_key and isinstance(column.type, sa.Integer) and column.name == "id"


def _anew(
    value: sa.ColumnClause[object],
    column: sa.Column[object],
    example: Mapping[str, object],
    order_ids: Sequence[str],
) -> sa.ColumnElement[Any]:
    """Give what the copy has in this column."""
    text = example.get(column.name)
    if isinstance(text, str) and any(order_id in text for order_id in order_ids):
        return sa.func.replace(value, _PAIRS.c.old, _PAIRS.c.new)
    if isinstance(column.type, sa.Integer) and (column.name == "at" or column.name.endswith("_at")):
        return value - sa.bindparam("earlier", type_=sa.BigInteger)
    if column.name == "key":  # of a replay: the digest of its file, and the line
        return _DIGEST + sa.func.substr(value, DIGEST_DIGITS + 1)
    return value.label(column.name)


def _earlier(order_id: str, milliseconds: int) -> str:
    """Give the id that the order would have had so long before (github.com/ulid/spec)."""
    time, chance = order_id[:ULID_TIME_DIGITS], order_id[ULID_TIME_DIGITS:]
    value = 0
    for digit in time:
        value = value * ULID_BASE + ULID_ALPHABET.index(digit)
    value -= milliseconds
    places = range((ULID_TIME_DIGITS - 1) * 5, -1, -5)
    return "".join(ULID_ALPHABET[(value >> place) & 31] for place in places) + chance
