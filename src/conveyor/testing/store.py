"""The one database of a simulated system, in memory, and the processes' ways to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import sqlalchemy as sa

from conveyor.core.transaction import Database, Tx
from conveyor.testing.ports import DatabasePort
from conveyor.testing.story import PROCESSES, Story

if TYPE_CHECKING:
    from conveyor.testing.process import Process

T = TypeVar("T")


class Store(Protocol):
    """The database as the world sees it: it looks at it, empties it, and puts backups back."""

    processes: int
    """How many processes live over it."""

    def begin(self, story: Story, changed: Callable[[], None]) -> None:
        """Begin a story, with nothing there; `changed` is to hear of what the port does not see."""
        ...

    def port(self, process: Process) -> Database:
        """Give a process its way to it."""
        ...

    def suspended(self, process: Process) -> None:
        """A process stands still, and whatever it has under way."""
        ...

    def killed(self, process: Process) -> None:
        """A process is dead: what it had under way is undone."""
        ...

    def abandon(self) -> None:
        """All are dead."""
        ...

    def run(self, work: Callable[[Tx], T]) -> T:
        """Run a transaction to its end: committed, or nothing of it if it raises."""
        ...

    def rows(self, query: str, *values: object) -> list[Any]:
        """Look at it from outside."""
        ...

    def records(self, table: str) -> list[dict[str, Any]]:
        """Look at a whole table."""
        ...

    @property
    def missed(self) -> Sequence[str]:
        """What was told of an order too late for whoever follows it."""
        ...

    def note_tables(self) -> None:
        """Say that all tables are there, and empty."""
        ...

    def backup(self) -> Any:
        """Copy all of it, as it is now."""
        ...

    def restore(self, backup: Any) -> None:
        """Put a backup in its place."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class SqliteStore:
    """An SQLite database in memory; each transaction is whole, as if it held every lock."""

    dialect = "sqlite"
    processes = PROCESSES
    missed: Sequence[str] = ()  # entries are seen in the order in which they are numbered

    def __init__(self, _loop: object = None) -> None:
        engine = sa.create_engine(
            "sqlite://", poolclass=sa.StaticPool, connect_args={"isolation_level": None}
        )
        self.connection = engine.connect()
        raw: Any = self.connection.connection.driver_connection
        self.raw: sqlite3.Connection = raw
        self.raw.execute("PRAGMA foreign_keys = ON")
        self._tables: list[str] = []

    def begin(self, story: Story, changed: Callable[[], None]) -> None:  # noqa: ARG002 - the port's
        """See `Store`."""
        self.empty()

    def port(self, process: Process) -> DatabasePort:
        """See `Store`."""
        return DatabasePort(process, self)

    def suspended(self, process: Process) -> None:
        """See `Store`: nothing is under way, ever."""

    def killed(self, process: Process) -> None:
        """See `Store`: nothing is under way, ever."""

    def abandon(self) -> None:
        """See `Store`: nothing is under way, ever."""

    def run(self, work: Callable[[Tx], T]) -> T:
        """See `Store`."""
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
        """See `Store`."""
        return self.raw.execute(query, values).fetchall()

    def records(self, table: str) -> list[dict[str, Any]]:
        """See `Store`."""
        cursor = self.raw.execute(f"SELECT * FROM {table}")
        names = [name for name, *_ in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def note_tables(self) -> None:
        """See `Store`."""
        named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'alembic%'"
        self._tables = [name for (name,) in self.rows(f"{named} AND name NOT LIKE 'sqlite_stat%'")]

    def empty(self) -> None:
        """Delete every row."""
        self.raw.execute("PRAGMA foreign_keys = OFF")
        for name in self._tables:
            self.raw.execute(f"DELETE FROM {name}")
        self.raw.execute("PRAGMA foreign_keys = ON")

    def backup(self) -> bytes:
        """See `Store`. Bytes need no closing where a life ends before it is restored."""
        with closing(sqlite3.connect(":memory:")) as copy:
            self.raw.backup(copy)
            return copy.serialize()

    def restore(self, backup: bytes) -> None:
        """See `Store`."""
        with closing(sqlite3.connect(":memory:")) as copy:
            copy.deserialize(backup)
            copy.backup(self.raw)

    def close(self) -> None:
        """See `Store`."""
        self.connection.close()
