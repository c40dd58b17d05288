"""The database port: plain functions run inside a transaction, group by group.

A function given to `Database.run` takes the transaction first, must touch nothing but it, and may
be run more than once: when a neighbour in the same group commit fails, or the database asks for a
retry (deadlock, serialization), everything is rolled back and run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import sqlalchemy as sa

from conveyor.core.after_commit import AfterCommit
from conveyor.core.errors import UNABLE, VersionConflictError
from conveyor.core.set_based import MIN_ROWS
from conveyor.core.statements import PerDialect, Row, Statement, prepared

if TYPE_CHECKING:
    from conveyor.core.measures import Measured
    from conveyor.core.order_log import Line
    from conveyor.core.outbox import OwedToken

__all__ = ["Database", "Params", "PerDialect", "Row", "Statement", "Tx", "Urgent"]

T = TypeVar("T")
Params = Row | Sequence[Row]


class Tx:
    """An open transaction."""

    def __init__(
        self, connection: sa.Connection, is_unable: Callable[[Exception], bool] = lambda _: False
    ) -> None:
        """Wrap a connection whose transaction has begun; for `is_unable` see `unable`."""
        self.connection = connection
        self._is_unable = is_unable
        self.dialect: str = connection.dialect.name
        self.beside: dict[object, Any] = {}
        """What is kept until `later` is written: see `gathered`."""
        self._owed: dict[str, OwedToken] = {}
        self._told: list[Line] = []
        self._measured: list[Measured] = []
        self._later: dict[int, tuple[Statement, list[Row], bool]] = {}
        self._sums: dict[tuple[int, tuple[Any, ...]], dict[str, Any]] = {}
        self._before: list[Callable[[], None]] = []
        self._after: list[Callable[[], None]] = []

    def execute(
        self, statement: Statement, params: Params | None = None
    ) -> sa.CursorResult[*tuple[Any, ...]]:
        """Run a statement now."""
        if isinstance(statement, PerDialect):
            statement = statement.by_dialect[self.dialect]
        return self.connection.execute(statement, params)

    def execute_all(self, statement: Statement, rows: Sequence[Row]) -> int:
        """Run a statement of a module for each of these rows now; gives how many rows it changed.

        All of them have the same keys, and values that the driver takes as they are.
        """
        text = prepared(statement, self.connection.dialect, rows[0])
        whole = text.whole if len(rows) >= MIN_ROWS else None
        if whole and (arrays := whole.bind(rows)):
            return self.connection.exec_driver_sql(whole.sql, arrays).rowcount
        return self.connection.exec_driver_sql(text.sql, text.bind(rows)).rowcount

    def later(self, statement: Statement, params: Row, *, must_match: bool = False) -> None:
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

    def add(
        self,
        statement: Statement,
        key: Row,
        amounts: Mapping[str, int],
        *,
        must_match: bool = False,
    ) -> None:
        """Do as `later` does, but rows with the same key become one, their amounts added up.

        A whole group that takes from one row then writes it once.
        """
        index = (id(statement), tuple(key.values()))
        row = self._sums.get(index)
        if row is None:
            row = self._sums[index] = {**key, **amounts}
            self.later(statement, row, must_match=must_match)
            return
        for name, amount in amounts.items():
            row[name] += amount

    def owe(self, order_id: str, token: OwedToken | None) -> None:
        """Let this token be sent once all is committed; None: this order is owed none now."""
        if token is None:
            self._owed.pop(order_id, None)
        else:
            self._owed[order_id] = token

    def tell(self, line: Line) -> None:
        """Let this be written to the log once all is committed."""
        self._told.append(line)

    def measure(self, measured: Measured) -> None:
        """Let this be counted once all is committed."""
        self._measured.append(measured)

    def leave(self, result: T) -> AfterCommit[T]:
        """Give what a work gives with all that it leaves to be done: the last that it does."""
        left = AfterCommit(result, list(self._owed.values()), self._told, self._measured)
        self._owed, self._told, self._measured = {}, [], []
        return left

    def before_flush(self, work: Callable[[], None]) -> None:
        """Do this at the end, just before what `later` holds: it may still change those rows."""
        self._before.append(work)

    def after_flush(self, work: Callable[[], None]) -> None:
        """Do this at the end, right after what `later` holds: it must see those rows."""
        self._after.append(work)

    def flush(self) -> None:
        """Run what `later` holds, in the order of its first use."""
        for work in self._before:
            work()
        held, after = self._later, self._after
        self._forget()  # what follows must see what is written here
        for statement, rows, must_match in held.values():
            changed = self.execute_all(statement, rows)
            if must_match and changed != len(rows):
                raise VersionConflictError(len(rows), changed)
        for work in after:
            work()

    def unable(self, error: BaseException) -> bool:
        """Whether the database raised this for its own sake, not for that of what it was asked.

        Then nothing of this transaction can be saved: it must be let go, to be run again.
        """
        return isinstance(error, UNABLE) or (
            isinstance(error, Exception) and self._is_unable(error)
        )

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is done inside if it raises, `later` included, and leave the rest alone."""
        self.flush()
        nested, owed = self.connection.begin_nested(), dict(self._owed)
        told, measured = len(self._told), len(self._measured)
        try:
            yield
            self.flush()
        except BaseException as error:
            self._forget()
            self._owed = owed
            del self._told[told:], self._measured[measured:]
            if not self.unable(error):  # else all is rolled back, or was by the database itself
                nested.rollback()
            raise
        nested.commit()

    def _forget(self) -> None:
        self._later, self._sums, self.beside = {}, {}, {}
        self._before, self._after = [], []


@dataclass(frozen=True, slots=True)
class Urgent(Generic[T]):
    """A work that somebody waits for: it goes first where works wait for one another."""

    work: Callable[[Tx], T]

    def __call__(self, tx: Tx) -> T:
        """Do it."""
        return self.work(tx)


class ReadDatabase(Protocol):
    """Where the truth is kept, for those who only look."""

    async def examine(self, work: Callable[[Tx], T]) -> T:
        """Run a long `work` that reads one committed state, so that others do not wait for it."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...


class Replica(ReadDatabase, Protocol):
    """Another server that has what is committed, somewhat later: what need not be new is there."""

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a read-only transaction."""
        ...

    async def catch_up(self, primary: Database) -> None:
        """Wait until it has all that is committed by now."""
        ...


class Database(ReadDatabase, Protocol):
    """Where the truth is kept."""

    dialect: str

    async def run(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction; when this returns, it is committed and on disk."""
        ...

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a read-only transaction, beside the writers."""
        ...
