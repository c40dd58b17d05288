"""How the file is opened: one connection that writes and checkpoints, and one that only reads."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy as sa

from conveyor.core.call_state import CallState
from conveyor.core.order_status import OrderStatus
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.untyped import Foreign

BUSY_TIMEOUT_MS = 5_000
WRITER_CACHE_KIB = 32_768
READER_CACHE_KIB = 8_192
# A checkpoint copies the log into the file and syncs both: rarer is cheaper, and the log stays
# around this size (in pages of 4 KiB).
CHECKPOINT_PAGES = 4_000
LOG_LIMIT_BYTES = 64 * 1_048_576

WRITER_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "fullfsync = ON",  # macOS: without it the disk's own cache may still hold what was "synced"
    "foreign_keys = ON",
    f"busy_timeout = {BUSY_TIMEOUT_MS}",
    f"cache_size = -{WRITER_CACHE_KIB}",
    f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
    f"journal_size_limit = {LOG_LIMIT_BYTES}",
)
READER_PRAGMAS = (
    "query_only = ON",
    "wal_autocheckpoint = 0",
    f"busy_timeout = {BUSY_TIMEOUT_MS}",
    f"cache_size = -{READER_CACHE_KIB}",
)

# What is neither a plain text nor a number the driver looks for an adapter of, at each value: to
# find one takes it half as long as to find none. An order has some fifty of such values.
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(type(None), lambda nothing: nothing)
for words in (OrderStatus, CallState, TimelineEvent):
    sqlite3.register_adapter(words, str.__str__)


def open_writer(path: Path) -> sa.Connection:
    """Open the connection that writes; a transaction of it locks out other writers at once."""
    return _open(path, WRITER_PRAGMAS, begin="BEGIN IMMEDIATE")


def open_reader(path: Path) -> sa.Connection:
    """Open the connection that reads; a transaction of it sees one state of the file."""
    return _open(path, READER_PRAGMAS, begin="BEGIN")


def close_connection(connection: sa.Connection) -> None:
    """Close what was opened by one of these."""
    connection.close()
    connection.engine.dispose()


def _open(path: Path, pragmas: tuple[str, ...], begin: str) -> sa.Connection:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        poolclass=sa.StaticPool,
        hide_parameters=True,  # they are people's names and addresses, and errors are logged
        # Threads take turns: each connection is used by one at a time.
        connect_args={"check_same_thread": False, "isolation_level": None},
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Foreign, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def begin_transaction(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine.connect()
