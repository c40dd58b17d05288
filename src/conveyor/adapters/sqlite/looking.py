"""A look at a database file that another process may own: nothing is written, and no file made."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from conveyor.adapters.sqlite.connections import close_connection, open_reader
from conveyor.core.transaction import Tx

T = TypeVar("T")
LOCKS = Path("/proc/locks")


def look(path: Path, work: Callable[[Tx], T]) -> T:
    """Run `work` on a connection that cannot write. Raises what SQLAlchemy raises."""

    def connect() -> sqlite3.Connection:
        # Without a log to read, SQLite would make one, unless it is told that nobody writes.
        alone = "" if _has_log(path) else "&immutable=1"
        return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{alone}", uri=True)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            return work(Tx(connection))
    finally:
        engine.dispose()


class SqliteReading:
    """A file that another process owns, for whoever only reads it; in the calling thread."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self._reader = open_reader(path)

    async def examine(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one committed state of the file."""
        with self._reader.begin():
            return work(Tx(self._reader))

    async def close(self) -> None:
        """Let go of the file."""
        close_connection(self._reader)


def owner(path: Path) -> str | None:
    """Say which process owns the file; '' for none, None where this system does not tell.

    The lock is not tried: a process that starts at that moment would find it taken.
    """
    lock = path.with_name(f"{path.name}.lock")
    if not lock.exists():
        return ""
    try:
        inode = str(lock.stat().st_ino)
        held = any(
            fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode
            for fields in (line.split() for line in LOCKS.read_text().splitlines())
        )
    except (OSError, IndexError):
        return None
    return lock.read_text().strip() if held else ""


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0
