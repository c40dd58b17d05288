"""What the server's errors mean for a transaction.

SQLSTATE codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.core.errors import ConveyorError
from conveyor.core.printable import without_secrets

WARNING = "01000"
SERIALIZATION_FAILURE = "40001"
DEADLOCK_DETECTED = "40P01"
TOO_MANY_CONNECTIONS = "53300"
LOCK_NOT_AVAILABLE = "55P03"
CANNOT_CONNECT_NOW = "57P03"
QUERY_CANCELED = "57014"
RETRIED = frozenset(
    {SERIALIZATION_FAILURE, DEADLOCK_DETECTED, TOO_MANY_CONNECTIONS, CANNOT_CONNECT_NOW}
)
READ_ONLY_TRANSACTION = "25006"
# Connection exception, invalid authorization, no such database, transaction rollback, insufficient
# resources (a full disk), operator intervention, system error.
UNAVAILABLE_CLASSES = ("08", "28", "3D", "40", "53", "57", "58", LOCK_NOT_AVAILABLE)
INSUFFICIENT_PRIVILEGE = "42501"
UNDEFINED_TABLE = "42P01"
INVALID_SCHEMA_NAME = "3F000"
# A migration or a right is missing. What else is wrong with a statement is the fault of its step.
MISDEPLOYED = (INSUFFICIENT_PRIVILEGE, UNDEFINED_TABLE, INVALID_SCHEMA_NAME)


class PostgresExtraMissingError(ConveyorError):
    """Conveyor was installed without what it needs for PostgreSQL."""

    def __init__(self) -> None:
        super().__init__("PostgreSQL needs its driver: pip install 'conveyor[postgres]'")


class PostgresUrlError(ConveyorError):
    """What stands for a place on PostgreSQL is none; the password in it is nobody's business."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(f"database URL {without_secrets(url)!r}: {cause}")
        self.cause = cause


class AbortedTransactionError(ConveyorError):
    """A function went on after a failed statement: PostgreSQL had given the transaction up.

    Such a COMMIT rolls back and reports no error. Use a savepoint around what may fail.
    """

    def __init__(self) -> None:
        super().__init__("a statement failed and its error was swallowed: nothing was committed")


def is_lost(error: sa.exc.DBAPIError) -> bool:
    """Whether there is no connection any more, or never was: the server did not say why."""
    unexplained = isinstance(error, sa.exc.OperationalError) and not _sqlstate(error)
    return error.connection_invalidated or unexplained


def to_be_retried(error: sa.exc.DBAPIError) -> bool:
    """Whether the same function may well succeed in a new transaction, soon.

    True of a lost connection too: as long as COMMIT was not sent, nothing was committed.
    """
    return is_lost(error) or _sqlstate(error) in RETRIED


def is_unavailability(error: BaseException) -> bool:
    """Whether the server, or how it was set up, is to blame, and not the statement."""
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    return is_lost(error) or _sqlstate(error).startswith((*UNAVAILABLE_CLASSES, *MISDEPLOYED))


def is_busy(error: BaseException) -> bool:
    """Whether it was raised because others had a lock for too long."""
    cause = error.__cause__ or error
    busy = {LOCK_NOT_AVAILABLE, QUERY_CANCELED}
    return isinstance(cause, sa.exc.DBAPIError) and _sqlstate(cause) in busy


def is_read_only(error: BaseException) -> bool:
    """Whether the server takes no writes, as one that a failover has left behind."""
    return isinstance(error, sa.exc.DBAPIError) and _sqlstate(error) == READ_ONLY_TRANSACTION


def cannot_write(error: BaseException) -> bool:
    """Whether the server is to blame for who is to write."""
    return is_unavailability(error) or is_read_only(error)


def _sqlstate(error: sa.exc.DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
