"""The database port on PostgreSQL: each function has a transaction, and a thread, of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa

from conveyor.adapters.postgres.connections import (
    EXAMINERS_SETTINGS,
    POOLED_READERS_SETTINGS,
    POOLED_WRITERS_SETTINGS,
    READERS_SETTINGS,
    open_engine,
    reading,
)
from conveyor.adapters.postgres.errors import (
    WARNING,
    AbortedTransactionError,
    cannot_write,
    is_lost,
    is_read_only,
    is_unavailability,
    to_be_retried,
)
from conveyor.adapters.postgres.places import WRITABLE, shown
from conveyor.core.errors import CommitUnknownError, DatabaseUnavailableError
from conveyor.core.transaction import Tx
from conveyor.core.untyped import Foreign

T = TypeVar("T")

CONNECTIONS = 8
MAX_ATTEMPTS = 6
FIRST_RETRY_SECONDS = 0.02  # doubled each time: 0.6 s in all, about a quick restart


class PostgresDatabase:
    """A pool of connections, and as many threads to use them.

    With `inline` everything happens in the calling thread: for tests on virtual time.
    """

    dialect = "postgresql"

    def __init__(
        self,
        url: str,
        *,
        connections: int = CONNECTIONS,
        inline: bool = False,
        pooled: bool = False,
        among_several: str = WRITABLE,
    ) -> None:
        """Take `postgresql://...`; nothing is opened yet. Raises `PostgresExtraMissingError`.

        `pooled`: a pooler is there, which lends a session for a transaction only. For
        `among_several` see `place_of`.
        """
        self._engine = open_engine(url, connections, pooled=pooled, among_several=among_several)
        self._writers_settings = POOLED_WRITERS_SETTINGS if pooled else ""
        self._readers_settings = POOLED_READERS_SETTINGS if pooled else READERS_SETTINGS
        self._reading = reading(self._engine)
        self._threads = None if inline else ThreadPoolExecutor(connections, "postgres")

    @property
    def name(self) -> str:
        """Where it is, as it may be shown to anybody."""
        return shown(self._engine.url)

    async def run(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction of its own, again after a deadlock or a lost connection.

        Raises what `work` raises, `DatabaseUnavailableError` when nothing was committed and the
        server is to blame, and `CommitUnknownError` when it went away during COMMIT.
        """
        return await self._with_retries(self._write, work)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one committed state of the database; it cannot write."""
        return await self._with_retries(self._read, work)

    async def examine(self, work: Callable[[Tx], T]) -> T:
        """Run a long `work` as `read` does; all of its statements see one state."""
        return await self._with_retries(self._examine, work)

    async def close(self) -> None:
        """Finish what was begun, then close the connections."""
        if self._threads is not None:
            await asyncio.to_thread(self._threads.shutdown)
        self.abandon()

    def abandon(self) -> None:
        """Close the connections that are not in use; what is not committed never was."""
        self._engine.dispose()

    async def _with_retries(
        self, transaction: Callable[[Callable[[Tx], T]], T], work: Callable[[Tx], T]
    ) -> T:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return await self._in_thread(transaction, work)
            except sa.exc.DBAPIError as error:
                if not to_be_retried(error) or attempt == MAX_ATTEMPTS:
                    if is_unavailability(error):
                        raise self._unavailable(error) from error
                    raise
            await asyncio.sleep(FIRST_RETRY_SECONDS * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")

    async def _in_thread(self, function: Callable[..., T], *args: Any) -> T:  # noqa: ANN401
        if self._threads is None:
            return function(*args)
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    def _write(self, work: Callable[[Tx], T]) -> T:
        with self._engine.connect() as connection:
            tx = Tx(connection, cannot_write)
            try:
                if self._writers_settings:
                    connection.exec_driver_sql(self._writers_settings)
                result = work(tx)
                tx.flush()
                _commit(connection)
            except sa.exc.DBAPIError as error:
                if not is_read_only(error):
                    raise
                # Whoever connects anew may find the server that has taken its place.
                connection.invalidate(error)
                raise self._unavailable(error) from error
        return result

    def _read(self, work: Callable[[Tx], T]) -> T:
        with self._reading.connect() as connection:
            connection.exec_driver_sql(self._readers_settings)
            tx = Tx(connection, is_unavailability)
            result = work(tx)
            tx.flush()  # a write that was put off fails here like any other
        return result

    def _examine(self, work: Callable[[Tx], T]) -> T:
        def long(tx: Tx) -> T:
            tx.connection.exec_driver_sql(EXAMINERS_SETTINGS)
            return work(tx)

        return self._read(long)

    def _unavailable(self, error: sa.exc.DBAPIError) -> DatabaseUnavailableError:
        cause = " ".join(str(error.orig).split())
        return DatabaseUnavailableError(self.name, cause)


def _commit(connection: sa.Connection) -> None:
    """Commit, and be certain of it or say so."""
    driver: Foreign = connection.connection.driver_connection
    if driver.info.transaction_status.name == "INERROR":
        raise AbortedTransactionError
    warnings: list[str] = []

    def hear(said: Foreign) -> None:
        if said.sqlstate == WARNING:
            warnings.append(said.message_primary)

    driver.add_notice_handler(hear)
    try:
        connection.commit()
    except sa.exc.DBAPIError as error:
        if not is_lost(error):
            raise
        # The server may have committed and died before it could say so: running the function
        # again could do its work twice. Redelivered messages are fenced by the order's version,
        # and requests by their idempotency key, so both find out which it was.
        raise CommitUnknownError(str(error.orig)) from error
    finally:
        driver.remove_notice_handler(hear)
    if warnings:
        # Somebody has cancelled the wait for a synchronous standby: it is committed here, and may
        # be lost when that one is promoted.
        raise CommitUnknownError("; ".join(warnings))
