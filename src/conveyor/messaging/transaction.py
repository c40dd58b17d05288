"""The database port: plain functions run inside a transaction, group by group.

A function given to `Database.run` takes the transaction first, must touch nothing but it, and may
be run more than once: when a neighbour in the same group commit fails, or the database asks for a
retry (deadlock, serialization), everything is rolled back and run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from conveyor.messaging.errors import VersionConflictError

T = TypeVar("T")
Params = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class PerDialect:
    """A statement that needs the dialect's own insert (for `ON CONFLICT`)."""

    def __init__(self, build: Callable[[Any], sa.Executable]) -> None:
        """Build once for each dialect; `build` is given that dialect's `insert`."""
        self.by_dialect = {"sqlite": build(sqlite.insert), "postgresql": build(postgresql.insert)}


Statement = sa.Executable | PerDialect


class Tx:
    """An open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        """Wrap a connection whose transaction has begun."""
        self.connection = connection
        self.dialect: str = connection.dialect.name
        self.gathered: dict[tuple[str, str], Any] = {}
        """What a step has read for its whole group at once, by table and key."""
        self._later: dict[int, tuple[Statement, list[Mapping[str, Any]], bool]] = {}

    def execute(
        self, statement: Statement, params: Params | None = None
    ) -> sa.CursorResult[*tuple[Any, ...]]:
        """Run a statement now."""
        if isinstance(statement, PerDialect):
            statement = statement.by_dialect[self.dialect]
        return self.connection.execute(statement, params)

    def later(
        self, statement: Statement, params: Mapping[str, Any], *, must_match: bool = False
    ) -> None:
        """Run a statement before the commit, together with its like in one batch.

        Its like is the same object: a statement of a module, not one built for the occasion.
        No read in this transaction sees it. With `must_match` every row must match once, else
        `VersionConflictError` is raised and nothing is committed: this is the fence.
        """
        entry = self._later.get(id(statement))
        if entry is None:
            self._later[id(statement)] = (statement, [params], must_match)
        else:
            entry[1].append(params)

    def flush(self) -> None:
        """Run what `later` holds, in the order of its first use."""
        self.gathered.clear()  # what follows must see what is written here
        held, self._later = self._later, {}
        for statement, rows, must_match in held.values():
            result = self.execute(statement, rows)
            if must_match and result.rowcount != len(rows):
                raise VersionConflictError(len(rows), result.rowcount)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is done inside if it raises, `later` included, and leave the rest alone."""
        self.flush()
        nested = self.connection.begin_nested()
        try:
            yield
            self.flush()
        except BaseException:
            self._later = {}
            nested.rollback()
            raise
        nested.commit()


class Database(Protocol):
    """Where the truth is kept."""

    dialect: str

    async def run(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction; when this returns, it is committed and on disk."""
        ...

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a read-only transaction, beside the writers."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...
