"""The messages of all embedded queues in one SQLite file, through one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from conveyor.adapters.embedded_queue import statements as sql
from conveyor.adapters.private_files import make_private_file
from conveyor.core.ambient import CLOCK_SLACK_MS
from conveyor.core.errors import (
    DataDirectoryInUseError,
    QueuesNotOpenError,
    QueueUnavailableError,
)
from conveyor.core.queue import MAX_VISIBILITY_SECONDS, Depth

FURTHEST_MS = MAX_VISIBILITY_SECONDS * 1000 + CLOCK_SLACK_MS
"""What is to be seen later than this was sent, or given back, by a clock that was wrong."""


class NewMessage(NamedTuple):
    """A row to insert, in the order of `statements.ADD`."""

    queue: str
    message_id: str
    body: str
    attributes: str
    group: str
    sent_at_ms: int
    expires_at_ms: int
    visible_at_ms: int


class Leased(NamedTuple):
    """A row that was just received, in the order that `statements.LEASE` gives it."""

    sequence: int
    message_id: str
    body: str
    attributes: str
    group: str
    sent_at_ms: int
    receive_count: int


class Lease(NamedTuple):
    """What a receipt says: which message, and which of its receives."""

    sequence: int
    receive_count: int


@dataclass(frozen=True, slots=True)
class Move:
    """A message's way to the dead-letter queue, with the attributes it is to have there."""

    sequence: int
    queue: str
    attributes: str
    expires_at_ms: int


class MessageStore:
    """Runs the statements; every method is one transaction and blocks for some microseconds.

    All raise QueuesNotOpenError when the file is not open, and QueueUnavailableError when SQLite
    cannot do it now (disk full, input/output error).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def open(self, now_ms: int) -> None:
        """Take the file for this process. Raises DataDirectoryInUseError when another has it."""
        try:
            make_private_file(self._path)
        except OSError as error:
            cause = f"unable to open it: {error.strerror}"
            raise QueueUnavailableError(str(self._path), cause) from error
        try:
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=0)
            self._connection = connection
            for pragma in sql.OPEN:
                connection.execute(pragma).fetchall()
            connection.executescript(sql.SCHEMA)
            connection.execute(sql.END_LEASES, {"now": now_ms})
            far = {"ahead": now_ms + CLOCK_SLACK_MS, "furthest": now_ms + FURTHEST_MS}
            connection.execute(sql.BE_VISIBLE, {"now": now_ms, **far})
        except sqlite3.OperationalError as error:
            self.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise DataDirectoryInUseError(str(self._path), "another process") from error
            raise QueueUnavailableError(str(self._path), str(error)) from error

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside, or nothing of it; `durable`: on the disk when this ends.

        The sync takes all earlier commits along, and SQLite replays commits in order: what a
        power cut takes is always the last ones, never one from the middle.
        """
        if self._connection is None:
            raise QueuesNotOpenError
        try:
            if durable:
                self._connection.execute(sql.SYNC_COMMITS)
            with self._connection:
                self._connection.execute("BEGIN")
                yield self._connection
        except sqlite3.OperationalError as error:
            raise QueueUnavailableError(str(self._path), str(error)) from error
        finally:
            if durable:
                self._connection.execute(sql.DO_NOT_SYNC_COMMITS)

    def create_queue(self, queue: str) -> bool:
        """Register the queue; whether it is new."""
        with self.transaction() as tx:
            return tx.execute(sql.CREATE_QUEUE, {"queue": queue}).rowcount > 0

    def expire_at(self, queue: str, at_ms: int) -> None:
        """Let all that is in the queue now expire then."""
        with self.transaction() as tx:
            tx.execute(sql.EXPIRE_AT, {"queue": queue, "at": at_ms})

    def add(self, messages: Sequence[NewMessage], *, durable: bool) -> None:
        """Add to a standard queue."""
        with self.transaction(durable=durable) as tx:
            tx.executemany(sql.ADD, messages)

    def add_once(
        self,
        messages: Sequence[tuple[NewMessage, str]],
        *,
        now: int,
        remember_ms: int,
        durable: bool,
    ) -> None:
        """Add to a FIFO queue what has a deduplication id that its group does not remember."""
        with self.transaction(durable=durable) as tx:
            tx.execute(sql.FORGET, {"now": now})
            for message, deduplication_id in messages:
                once = (message.queue, message.group, deduplication_id, now + remember_ms)
                if tx.execute(sql.REMEMBER, once).rowcount:
                    tx.execute(sql.ADD, message)

    def lease(
        self, queue: str, *, in_order: bool, now: int, until: int, limit: int
    ) -> list[Leased]:
        """Receive up to `limit` messages, in the order sent."""
        statement = sql.LEASE_IN_ORDER if in_order else sql.LEASE
        wanted = {"queue": queue, "now": now, "until": until, "limit": limit}
        with self.transaction() as tx:
            tx.execute(sql.EXPIRE, wanted)
            return sorted(map(Leased._make, tx.execute(statement, wanted)))

    def move(self, moves: Sequence[Move], now: int) -> None:
        """Take messages to their dead-letter queue, visible at once."""
        with self.transaction() as tx:
            for move in moves:
                tx.execute(sql.MOVE, {"now": now, **asdict(move)})

    def delete(self, queue: str, leases: Sequence[Lease]) -> None:
        """Delete the messages of which this is the latest receive, and pass over the others."""
        with self.transaction() as tx:
            tx.executemany(sql.DELETE, [(queue, *lease) for lease in leases])

    def delete_in_flight(self, queue: str, leases: Sequence[Lease], now: int) -> list[Lease]:
        """Delete while the lease lasts; gives those whose message is still there."""
        with self.transaction() as tx:
            tx.executemany(sql.DELETE_IN_FLIGHT, [(queue, *lease, now) for lease in leases])
            return [it for it in leases if tx.execute(sql.IS_THERE, (queue, it[0])).fetchone()]

    def set_visibility(
        self, queue: str, changes: Sequence[tuple[Lease, int]], now: int
    ) -> list[Lease]:
        """Set when each lease ends, in ms since the epoch; gives those that were not held."""
        with self.transaction() as tx:
            return [
                lease
                for lease, until in changes
                if not tx.execute(sql.SET_VISIBILITY, (until, queue, *lease, now)).rowcount
            ]

    def next_visible(self, queue: str, now: int) -> int | None:
        """When the next message becomes visible by itself, in ms since the epoch."""
        with self.transaction() as tx:
            row = tx.execute(sql.NEXT_VISIBLE, {"queue": queue, "now": now}).fetchone()
            at: int | None = row[0]
            return at

    def depth(self, queue: str, now: int) -> Depth:
        """Count the messages."""
        which = {"queue": queue, "now": now}
        with self.transaction() as tx:
            tx.execute(sql.EXPIRE, which)
            (visible,) = tx.execute(sql.COUNT_VISIBLE, which).fetchone()
            in_flight, delayed = tx.execute(sql.COUNT_INVISIBLE, which).fetchone()
        return Depth(visible, in_flight, delayed)

    def purge(self, queue: str) -> None:
        """Delete every message; deduplication ids stay remembered, as SQS does it."""
        with self.transaction() as tx:
            tx.execute(sql.PURGE, {"queue": queue})
