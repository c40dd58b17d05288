"""The same small system, its rows moved to a PostgreSQL: filled anew before each planting."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from tests.audit.base import Base

from conveyor.adapters.postgres import PostgresDatabase
from conveyor.adapters.simulated import payment_ledger
from conveyor.core.transaction import Tx
from conveyor.flows.shop.simulated import carrier_ledger
from conveyor.operations.audit import AuditReport
from conveyor.system.parts import Parts
from conveyor.system.tables import tables_of
from conveyor.testing.loop import ProcessLoop
from conveyor.testing.simulated import with_books
from conveyor.testing.virtual import Machine

FILES = ("conveyor.db", "provider.db", "carrier.db")
QUEUES = "queue.db"
_CHECKS = (
    "SELECT conrelid::regclass::text, conname FROM pg_constraint "
    "WHERE contype = 'c' AND conrelid <> 0 AND connamespace = 'public'::regnamespace"
)
_TABLES = (
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
    "AND relnamespace = 'public'::regnamespace"
)
_LAST = "SELECT setval(pg_get_serial_sequence('timeline', 'id'), (SELECT max(id) FROM timeline))"


class PostgresBase(Base):
    """What `Base` is, with one database for our books and for those of the outside."""

    def __init__(self, base: Base, url: str) -> None:
        self.directory, self.ids, self.elapsed = base.directory, base.ids, base.elapsed
        self._connection = psycopg.connect(url, autocommit=True)
        # One for all plantings: what it has compiled is known from one to the next.
        self._database = PostgresDatabase(url, connections=1, inline=True)
        with self._database._engine.begin() as connection:
            for tables in tables_of(Machine(base.directory).installed):
                tables.create_all(connection)
            payment_ledger.create(Tx(connection))
            carrier_ledger.create(Tx(connection))
        for table, name in self._connection.execute(_CHECKS).fetchall():
            self._connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        self._rows = {
            table: self._rows_of(table) for (table,) in self._connection.execute(_TABLES).fetchall()
        }

    def planted(self, ours: Sequence[str], theirs: Sequence[str], at: Path) -> AuditReport:
        at.mkdir()
        shutil.copy(self.directory / QUEUES, at)
        self._fill()
        for statement in (*ours, *theirs):
            self._connection.execute(statement.format(**self.ids).encode())
        return self._audit(at)

    def close(self) -> None:
        """Let go of the database."""
        self._database.abandon()
        self._connection.close()

    def _rows_of(self, table: str) -> tuple[list[str], list[Any]]:
        for name in FILES:
            with sqlite3.connect(self.directory / name) as connection:
                known = [f'"{row[1]}"' for row in connection.execute(f"PRAGMA table_info({table})")]
                every = f"SELECT * FROM {table}"  # noqa: S608 - the schema's own names
                rows = connection.execute(every).fetchall() if known else []
            connection.close()
            if known:
                return known, rows
        raise AssertionError(table)

    def _fill(self) -> None:
        cursor = self._connection.cursor()
        cursor.execute(f"TRUNCATE {', '.join(self._rows)}")
        for table, (columns, rows) in self._rows.items():
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        cursor.execute(_LAST)

    def _parts(self, world: Machine, loop: ProcessLoop) -> Parts:
        parts = super()._parts(world, loop)
        for file in (parts.database, *world.outside_files):
            file.abandon()  # type: ignore[attr-defined]
        world.outside_files = []
        ours = self._database
        ports = with_books(world.installed, world.settings, parts.ambient, lambda _file: ours)
        return Parts(parts.ambient, ours, parts.queues, parts.timekeeper, ports)
