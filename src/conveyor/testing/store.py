"""The one database of a simulated system, in memory, and the processes' ways to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa

from conveyor.messaging.transaction import Tx

T = TypeVar("T")


class Store:
    """An SQLite database in memory; each transaction is whole, as if it held every lock."""

    dialect = "sqlite"

    def __init__(self) -> None:
        engine = sa.create_engine(
            "sqlite://", poolclass=sa.StaticPool, connect_args={"isolation_level": None}
        )
        self.connection = engine.connect()
        raw: Any = self.connection.connection.driver_connection
        self.raw: sqlite3.Connection = raw
        self.raw.execute("PRAGMA foreign_keys = ON")
        self._tables: list[str] = []

    def run(self, work: Callable[[Tx], T]) -> T:
        """Run a transaction to its end: committed, or nothing of it if it raises."""
        with self._transaction():
            tx = Tx(self.connection)
            result = work(tx)
            tx.flush()
        return result

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.raw.execute("BEGIN")
        try:
            yield
        except BaseException:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
            raise
        self.raw.execute("COMMIT")

    @property
    def changes(self) -> int:
        """Rows that were ever changed: a transaction that leaves it alone wrote nothing."""
        return self.raw.total_changes

    def rows(self, query: str, *values: object) -> list[Any]:
        """Look at it from outside."""
        return self.raw.execute(query, values).fetchall()

    def note_tables(self) -> None:
        """Say that all tables are there, and empty."""
        named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'alembic%'"
        self._tables = [name for (name,) in self.rows(f"{named} AND name NOT LIKE 'sqlite_stat%'")]

    def empty(self) -> None:
        """Delete every row."""
        self.raw.execute("PRAGMA foreign_keys = OFF")
        for name in self._tables:
            self.raw.execute(f"DELETE FROM {name}")  # noqa: S608 - the names are the schema's own
        self.raw.execute("PRAGMA foreign_keys = ON")

    def backup(self) -> sqlite3.Connection:
        """Copy all of it, as it is now."""
        copy = sqlite3.connect(":memory:")
        self.raw.backup(copy)
        return copy

    def restore(self, backup: sqlite3.Connection) -> None:
        """Put a backup in its place."""
        backup.backup(self.raw)
        backup.close()
