"""The database port on SQLite, with group commit: whatever is waiting shares one sync of the disk.

Functions run in the event loop's own thread: two Python threads that both run many short SQLite
statements wait for each other's GIL, and the pair is slower than one. COMMIT is where the disk is
synced, so it alone runs beside the loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from conveyor.adapters.private_files import make_private_file
from conveyor.adapters.sqlite.connections import close_connection, open_reader, open_writer
from conveyor.adapters.sqlite.errors import cannot_write, is_unavailability
from conveyor.adapters.sqlite.ownership import Ownership
from conveyor.core.batching import Batcher, each_its_own
from conveyor.core.errors import DatabaseUnavailableError
from conveyor.core.transaction import Tx, Urgent

T = TypeVar("T")
Work = Callable[[Tx], Any]

MAX_GROUP = 256


class SqliteDatabase:
    """A file that this process owns; one connection writes, another reads beside it.

    With `inline` everything happens in the calling thread: for tests on virtual time.
    """

    dialect = "sqlite"

    def __init__(self, path: Path | str, *, inline: bool = False) -> None:
        """Open or create the file.

        Raises `DataDirectoryInUseError` when it has an owner, and `DatabaseUnavailableError` for
        one that cannot be opened or is no database.
        """
        self._path = Path(path)
        self._ownership = Ownership(self._path)
        try:
            with self._disk_errors(cannot_write):
                make_private_file(self._path)
                self._writer = open_writer(self._path)
        except BaseException:
            self._ownership.release()
            raise
        self._groups: Batcher[Work, Any] = Batcher(partial(each_its_own, self._commit), MAX_GROUP)
        self._commits = None if inline else ThreadPoolExecutor(1, "sqlite-commit")
        self._reads = None if inline else ThreadPoolExecutor(1, "sqlite-read")
        self._reader: sa.Connection | None = None
        self._examiner: sa.Connection | None = None
        self._examinations: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction that it may share; when this returns, the disk has it.

        Raises what `work` raises, and `DatabaseUnavailableError` when the disk is full or fails.
        """
        result: T = await self._groups.submit(work, urgent=isinstance(work, Urgent))
        return result

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one committed state of the database; it cannot write."""
        if self._reads is None:
            return self._read(work)
        return await asyncio.get_running_loop().run_in_executor(self._reads, self._read, work)

    async def examine(self, work: Callable[[Tx], T]) -> T:
        """Run a long `work` as `read` does, on a connection and in a thread that no other needs."""
        if self._reads is None:
            return self._read(work)
        if self._examiner is None:
            self._examiner = open_reader(self._path)
            self._examinations = ThreadPoolExecutor(1, "sqlite-examine")
        connection, loop = self._examiner, asyncio.get_running_loop()
        return await loop.run_in_executor(self._examinations, lambda: self._read(work, connection))

    async def close(self) -> None:
        """Finish what was submitted, then let go of the file."""
        await self._groups.join()
        self.abandon()

    def abandon(self) -> None:
        """Let go of the file at once; what is not committed never was. Doing it twice is harmless.

        The reader goes first, so that the last checkpoint is the writer's.
        """
        for executor in (self._commits, self._reads, self._examinations):
            if executor is not None:
                executor.shutdown()
        for connection in (self._examiner, self._reader, self._writer):
            if connection is not None:
                close_connection(connection)
        self._ownership.release()

    async def _commit(self, works: Sequence[Work]) -> list[Any]:
        """Give the results of the works that were committed: the first of them, or all."""
        with self._disk_errors(cannot_write):
            transaction = self._writer.begin()
            try:
                tx = Tx(self._writer, cannot_write)
                results = []
                for work in works:
                    results.append(work(tx))
                    tx.flush()  # the next one must see all of this one's effect
                    await self._let_others_go_on()
                    if self._groups.is_urged:
                        break  # what is done is committed now; the others come after what is urgent
                await self._sync()
            except BaseException:
                transaction.rollback()
                raise
            transaction.commit()  # it is on disk already; this is for SQLAlchemy's books
        return results

    async def _let_others_go_on(self) -> None:
        """Give requests a turn of the loop: a group of many works would keep them waiting."""
        if self._commits is not None:
            await asyncio.sleep(0)

    async def _sync(self) -> None:
        """Run the driver's COMMIT."""
        commit = self._writer.connection.driver_connection.commit  # type: ignore[union-attr]
        if self._commits is None:
            commit()
            return
        under_way = self._commits.submit(commit)
        try:
            await asyncio.wrap_future(under_way)
        except asyncio.CancelledError:
            wait((under_way,))  # the connection must not be touched while it is in there
            raise

    def _open_reader(self) -> sa.Connection:
        return open_reader(self._path)

    def _read(self, work: Callable[[Tx], T], connection: sa.Connection | None = None) -> T:
        with self._disk_errors(is_unavailability):
            if connection is None:
                connection = self._reader = self._reader or self._open_reader()
            with connection.begin():
                tx = Tx(connection, is_unavailability)
                result = work(tx)
                tx.flush()  # a write that was put off fails here like any other
                return result

    @contextmanager
    def _disk_errors(self, is_unable: Callable[[BaseException], bool]) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, sa.exc.DBAPIError) as error:
            if not is_unable(error):
                raise
            cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            raise DatabaseUnavailableError(str(self._path), str(cause)) from error
