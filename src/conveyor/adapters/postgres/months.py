"""The partitions of tables that are kept by month: which there are, and how one is made.

One is attached, and not made in its place: that leaves alone who writes to the others. For as long
as it takes to see that the default partition has nothing of it, nobody writes to that one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.ambient import ULID_ALPHABET, ULID_LENGTH
from conveyor.core.months import Month, month_of_id
from conveyor.core.tables import MONTHLY, timeline
from conveyor.core.transaction import Tx

MAKING_LOCK = 7_040_113
"""Any number, as long as nobody else in the database takes it; see `MIGRATION_LOCK`."""
SHORTLY = "SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '5s'"
"""Orders that come meanwhile wait for no longer, and whoever makes room for them tries again."""
TAKING_TIME = "SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = 0"
LAST = "~"
"""Sorts after every id."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Has the ids `since` <= id < `until` of a table; the default one has what no other has."""

    table: str
    name: str
    since: str = ""
    until: str = ""

    @property
    def is_default(self) -> bool:
        """Whether it is the one for all others."""
        return not self.until

    def overlaps(self, since: str, until: str) -> bool:
        """Whether it has ids of this range."""
        return not self.is_default and self.since < until and since < self.until


@dataclass(frozen=True, slots=True)
class Size:
    """Of a table: rows as the server estimates them."""

    rows: int
    bytes: int


def partitions(tx: Tx) -> list[Partition]:
    """Read from the catalogue which there are, the oldest first."""
    found = [
        Partition(
            row.parent, row.name, row.since or "", "" if row.is_default else row.until or LAST
        )
        for row in tx.execute(_PARTITIONS, {"tables": list(MONTHLY)})
    ]
    return sorted(found, key=lambda it: (it.since, it.table))


def missing(there: Iterable[Partition], months: Iterable[Month]) -> list[tuple[str, Month]]:
    """Give the tables and months of which there is no partition yet."""
    known = list(there)
    return [
        (table, month)
        for month in months
        for table in MONTHLY
        if not any(
            it.table == table and it.overlaps(month.first_id, month.until_id) for it in known
        )
    ]


def may_make(tx: Tx) -> bool:
    """Whether this role owns the tables, and may make others beside them."""
    return bool(tx.execute(_MAY_MAKE, {"tables": list(MONTHLY)}).scalar_one())


def make(tx: Tx, table: str, month: Month, *, moving: bool = False) -> str:
    """Make one, unless it is there by now; gives its name, or ''.

    Where the default one holds rows of it, it is only made if `moving`, and these are moved: to be
    the one of its transaction, lest two of them and a writer wait for one another.
    """
    tx.connection.exec_driver_sql(TAKING_TIME if moving else SHORTLY)
    tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MAKING_LOCK})
    if (table, month) not in missing(partitions(tx), [month]):
        return ""
    if _holds(tx, table, month) and not moving:
        return ""
    return _make(tx, table, month)


def misplaced(tx: Tx) -> list[tuple[str, Month | None, int]]:
    """Give what the default partitions hold: table, month, and how many rows, `MOST` at most.

    The month is None for ids that are none of ours.
    """
    found: list[tuple[str, Month | None, int]] = []
    for table in MONTHLY:
        after = ""
        while month := month_of_id(tx.execute(_first_from(table), {"after": after}).scalar() or ""):
            within = {"since": month.first_id, "until": month.until_id}
            counted = int(tx.execute(_count_between(table), within).scalar_one())
            found.append((table, month, counted))
            after = month.until_id
        if strange := int(tx.execute(_count_strange(table)).scalar_one()):
            found.append((table, None, strange))
    return found


MOST = 100_000
"""Rows that are counted one by one."""


def detached_name(partition: str) -> str:
    """Give the name of what was a partition."""
    return f"detached_{partition}"


def detach(tx: Tx, part: Partition) -> str:
    """Take it from its table, and keep it under a name of its own, which this gives."""
    tx.connection.exec_driver_sql(SHORTLY)
    kept = detached_name(part.name)
    tx.execute(sa.text(f"ALTER TABLE {part.table} DETACH PARTITION {part.name}"))
    tx.execute(sa.text(f"ALTER TABLE {part.name} RENAME TO {kept}"))
    if part.table == timeline.name:  # numbers come from what belongs to the table that goes on
        tx.execute(sa.text(f"ALTER TABLE {kept} ALTER COLUMN id DROP DEFAULT"))
    return kept


def sizes(tx: Tx, names: Iterable[str]) -> dict[str, Size]:
    """Give about how many rows these tables have, and how many bytes with their indexes."""
    rows = tx.execute(_SIZES, {"names": list(names)})
    return {row.relname: Size(int(row.rows), int(row.bytes)) for row in rows}


def _make(tx: Tx, table: str, month: Month) -> str:
    name = f"{table}_{month.name.replace('-', '_')}"
    like = f"LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES"
    tx.execute(sa.text(f"CREATE TABLE {name} ({like}) WITH (fillfactor = {MONTHLY[table]})"))
    if _holds(tx, table, month):
        tx.execute(sa.text(f"LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE"))
        tx.execute(_move(table, name), {"since": month.first_id, "until": month.until_id})
    bounds = f"FROM ('{month.first_id}') TO ('{month.until_id}')"
    tx.execute(sa.text(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {bounds}"))
    return name


def _holds(tx: Tx, table: str, month: Month) -> bool:
    within = {"since": month.first_id, "until": month.until_id}
    return bool(tx.execute(_count(f"{table}_default {WITHIN}"), within).scalar_one())


# Names are our own. What is none of ours may sort anywhere, as the database's language has it.
WITHIN = "WHERE order_id >= :since AND order_id < :until"
IS_OURS = f"order_id ~ '^[0-7][{ULID_ALPHABET}]{{{ULID_LENGTH - 1}}}$'"


def _first_from(table: str) -> sa.TextClause:
    first = f"SELECT order_id FROM {table}_default WHERE order_id >= :after AND {IS_OURS}"  # noqa: S608 - our own names
    return sa.text(f"{first} ORDER BY order_id LIMIT 1")


def _count_between(table: str) -> sa.TextClause:
    return _count(f"{table}_default {WITHIN} AND {IS_OURS}")


def _count_strange(table: str) -> sa.TextClause:
    return _count(f"{table}_default WHERE NOT {IS_OURS}")


def _count(those: str) -> sa.TextClause:
    return sa.text(f"SELECT count(*) FROM (SELECT FROM {those} LIMIT {MOST}) counted")  # noqa: S608 - our own names


def _move(table: str, name: str) -> sa.TextClause:
    of = f"DELETE FROM {table}_default {WITHIN}"  # noqa: S608 - our own names
    return sa.text(f"WITH moved AS ({of} RETURNING *) INSERT INTO {name} SELECT * FROM moved")  # noqa: S608 - our own names


_BOUND = "pg_get_expr(part.relpartbound, part.oid)"
_PARTITIONS = sa.text(f"""
    SELECT parent.relname AS parent, part.relname AS name,
        {_BOUND} = 'DEFAULT' AS is_default,
        substring({_BOUND} FROM $$FROM \\('([^']*)'\\)$$) AS since,
        substring({_BOUND} FROM $$TO \\('([^']*)'\\)$$) AS until
    FROM pg_inherits JOIN pg_class parent ON parent.oid = inhparent
        JOIN pg_class part ON part.oid = inhrelid
    WHERE parent.relnamespace = current_schema()::regnamespace AND parent.relkind = 'p'
        AND parent.relname = ANY(:tables)
""")  # noqa: S608 - our own words
_MAY_MAKE = sa.text("""
    SELECT has_schema_privilege(current_schema(), 'CREATE')
        AND bool_and(pg_has_role(relowner, 'USAGE'))
    FROM pg_class WHERE relnamespace = current_schema()::regnamespace
        AND relname = ANY(:tables)
""")
_SIZES = sa.text("""
    SELECT relname, pg_total_relation_size(c.oid) AS bytes,
        greatest(reltuples, pg_stat_get_live_tuples(c.oid)) AS rows
    FROM pg_class c WHERE relnamespace = current_schema()::regnamespace
        AND relkind = 'r' AND relname = ANY(:names)
""")
