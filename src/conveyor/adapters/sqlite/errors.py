"""What SQLite's errors mean for a transaction: https://sqlite.org/rescode.html."""

from __future__ import annotations

import sqlite3

import sqlalchemy as sa

PRIMARY_CODE_MASK = 0xFF
UNAVAILABLE_CODES = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }
)
"""The disk is full or fails, somebody holds the file locked, or it is no database any more."""


def is_unavailability(error: BaseException) -> bool:
    """Whether the file or the disk, not the statement, is to blame."""
    return _code(error) in UNAVAILABLE_CODES


def cannot_write(error: BaseException) -> bool:
    """Whether it is so for who is to write: the file may be one that can only be read."""
    return is_unavailability(error) or _code(error) == sqlite3.SQLITE_READONLY


def _code(error: BaseException) -> int | None:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    code: int | None = getattr(cause, "sqlite_errorcode", None)
    return code if code is None else code & PRIMARY_CODE_MASK
