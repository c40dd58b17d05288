"""A real PostgreSQL under a simulated system: each process has connections of its own to it.

The simulator makes a database for itself beside the one that it is given, and drops it at the end.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from conveyor.adapters.postgres import PostgresDatabase
from conveyor.core.errors import CommitUnknownError, DatabaseUnavailableError
from conveyor.core.transaction import Tx
from conveyor.testing.followers import Followers
from conveyor.testing.interleaving import Interleaving
from conveyor.testing.loop import ProcessLoop
from conveyor.testing.story import Story

if TYPE_CHECKING:
    import psycopg

    from conveyor.testing.process import Process

T = TypeVar("T")

SYSTEMS = 2
CONNECTIONS = 8
DEADLOCK_TIMEOUT = "5ms"
"""After which the server looks for a deadlock: by itself it waits for a second."""


@dataclass(frozen=True, slots=True)
class Backup:
    """All rows, as text, and where each sequence stood."""

    rows: dict[str, bytes]
    sequences: list[tuple[str, int | None]]


class SteppedDatabase(PostgresDatabase):
    """One process's connections; what writes goes a statement at a time, beside the others."""

    def __init__(self, url: str, interleaving: Interleaving) -> None:
        # One more, for what only reads and is over at once.
        super().__init__(url, connections=CONNECTIONS + 1, inline=True)
        self._interleaving = interleaving
        sa.event.listen(self._engine, "before_cursor_execute", self._before)
        sa.event.listen(self._engine, "after_cursor_execute", self._after)
        sa.event.listen(self._engine, "handle_error", self._failed)

    async def run(self, work: Callable[[Tx], T]) -> T:
        """See `PostgresDatabase`; there is a rest before COMMIT as before any statement."""

        def whole(tx: Tx) -> T:
            result = work(tx)
            tx.flush()
            self._before(tx.connection)
            return result

        return await super().run(whole)

    async def _in_thread(self, function: Callable[..., T], *args: object) -> T:
        if function == self._write:
            return await self._interleaving.run(function, *args)
        return function(*args)

    def _before(self, connection: sa.Connection, *_: object) -> None:
        self._interleaving.before_statement(connection.connection.driver_connection)

    def _after(self, _connection: sa.Connection, cursor: Any, *_: object) -> None:
        self._interleaving.after_statement(cursor.statusmessage or "", cursor.rowcount)

    def _failed(self, context: sa.engine.ExceptionContext) -> None:
        self._interleaving.failed(getattr(context.original_exception, "sqlstate", None) or "")


class PostgresPort:
    """See `Database`: a process's way to it, on which it may be away."""

    dialect = "postgresql"

    def __init__(self, process: Process, database: SteppedDatabase) -> None:
        self._process, self._database = process, database
        self._free = asyncio.Semaphore(CONNECTIONS)

    async def run(self, work: Callable[[Tx], T]) -> T:
        """Commit, unless the database is away, or the answer to COMMIT is lost."""
        world = self._process.world
        async with self._free:
            await asyncio.sleep(world.wire_seconds())
            trouble = self._trouble()
            result = await self._database.run(work)
        if trouble == "unknown":
            raise CommitUnknownError("the answer to COMMIT was lost")
        return result

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Read, unless it is away."""
        self._trouble()
        return await self._database.read(work)

    async def examine(self, work: Callable[[Tx], T]) -> T:
        """Do as `read`."""
        self._trouble()
        return await self._database.examine(work)

    async def close(self) -> None:
        """Nothing is held."""

    def _trouble(self) -> str:
        trouble = self._process.world.troubles.of_database(self._process.number)
        if trouble == "away":
            raise DatabaseUnavailableError("the database", "it is away")
        return trouble


class PostgresStore:
    """A database of its own on a real server; see `Store`."""

    dialect = "postgresql"
    processes = SYSTEMS

    def __init__(self, url: str, loop: ProcessLoop) -> None:
        """Make the database. Raises what the driver raises."""
        self._server = _connect(url)
        self._name = f"conveyor_simulated_{uuid.uuid4().hex}"
        self._server.execute(f'CREATE DATABASE "{self._name}"')
        self._hasten_deadlocks()
        own = sa.make_url(url).set(database=self._name).render_as_string(hide_password=False)
        self._looking, self._watching = _connect(own), _connect(own)
        self.interleaving = Interleaving(loop, self._watching)
        self._direct = PostgresDatabase(own, connections=1, inline=True)
        self._systems = [SteppedDatabase(own, self.interleaving) for _ in range(SYSTEMS)]
        self._tables: list[str] = []
        self._followers = Followers(self.rows)

    def _hasten_deadlocks(self) -> None:
        import psycopg

        setting = f"SET deadlock_timeout = '{DEADLOCK_TIMEOUT}'"
        with suppress(psycopg.errors.InsufficientPrivilege):  # each takes a second longer then
            self._server.execute(f'ALTER DATABASE "{self._name}" {setting}')

    def begin(self, story: Story, changed: Callable[[], None]) -> None:
        """See `Store`."""
        rng = random.Random(f"{story.seed} transactions")
        self._followers = Followers(self.rows)

        def committed() -> None:
            self._followers.look()
            changed()

        self.interleaving.begin(rng, committed, calm=not story.faults)
        self.empty()

    @property
    def missed(self) -> list[str]:
        """See `Store`."""
        return self._followers.missed

    def port(self, process: Process) -> PostgresPort:
        """See `Store`."""
        return PostgresPort(process, self._systems[process.number])

    def suspended(self, process: Process) -> None:
        """See `Store`."""
        self.interleaving.suspended(process)

    def killed(self, process: Process) -> None:
        """See `Store`."""
        self.interleaving.kill(process)

    def abandon(self) -> None:
        """See `Store`."""
        self.interleaving.kill()

    def run(self, work: Callable[[Tx], T]) -> T:
        """See `Store`; whoever has the locks that it needs must be through."""
        return _complete(self._direct.run(work))

    def rows(self, query: str, *values: object) -> list[Any]:
        """See `Store`."""
        return self._looking.execute(query.replace("?", "%s"), values).fetchall()

    def records(self, table: str) -> list[dict[str, Any]]:
        """See `Store`."""
        cursor = self._looking.execute(f"SELECT * FROM {table}")
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def note_tables(self) -> None:
        """See `Store`."""
        query = (  # with partitions, and without what consists of these
            "SELECT relname FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = 'public'::regnamespace ORDER BY relname"
        )
        self._tables = [name for (name,) in self.rows(query)]

    def empty(self) -> None:
        """See `Store`. Faster than TRUNCATE where there is little."""
        self._looking.execute("; ".join(f"DELETE FROM {name}" for name in self._tables))

    def backup(self) -> Backup:
        """See `Store`."""
        rows = {}
        for name in self._tables:
            with self._looking.cursor().copy(f"COPY {name} TO STDOUT") as copy:
                rows[name] = b"".join(copy)
        return Backup(rows, self.rows("SELECT sequencename, last_value FROM pg_sequences"))

    def restore(self, backup: Backup) -> None:
        """See `Store`."""
        self.abandon()
        self.empty()
        for name, rows in backup.rows.items():
            with self._looking.cursor().copy(f"COPY {name} FROM STDIN") as copy:
                copy.write(rows)
        self._followers = Followers(self.rows)
        for sequence, last in backup.sequences:
            self.rows("SELECT setval(?::regclass, ?, ?)", sequence, last or 1, last is not None)

    def close(self) -> None:
        """Let go of the database, and drop it."""
        self.interleaving.close()
        for database in (self._direct, *self._systems):
            database.abandon()
        self._looking.close()
        self._watching.close()
        self._server.execute(f'DROP DATABASE "{self._name}" WITH (FORCE)')
        self._server.close()


def _connect(url: str) -> psycopg.Connection[Any]:
    import psycopg

    return psycopg.connect(url, autocommit=True)


def _complete(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end what never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits")
