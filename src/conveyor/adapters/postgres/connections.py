"""How connections to PostgreSQL are opened and kept."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from conveyor.adapters.postgres.errors import PostgresExtraMissingError, PostgresUrlError
from conveyor.adapters.postgres.places import WRITABLE, place_of
from conveyor.core.untyped import Foreign

DRIVER = "postgresql+psycopg"
APPLICATION_NAME = "conveyor"
CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_MS = 60_000
LOCK_TIMEOUT_MS = 10_000
# A process that hangs inside a transaction must not hold its locks for ever.
IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000
PREPARED_FROM = 5
"""The driver's own: how often a statement is executed before it is prepared."""
# A peer that went away without a word (power, network) is given up after about this long.
KEEPALIVE_IDLE_SECONDS = 30
UNACKNOWLEDGED_TIMEOUT_MS = 30_000

# What a transaction writes it finds by key. Plans that read a whole table are forbidden, so that
# neither missing statistics nor a plan made while a table was small can cost a group its speed;
# readers, who look at everything, get them back.
BY_KEY_ONLY = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
READERS_SETTINGS = "; ".join(f"SET LOCAL {name} = on" for name in BY_KEY_ONLY)
# Whoever examines everything needs its time, and one state to look at.
EXAMINERS_SETTINGS = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = 0"
)

TIMEOUTS = {
    "statement_timeout": STATEMENT_TIMEOUT_MS,
    "lock_timeout": LOCK_TIMEOUT_MS,
    "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_MS,
}
# Not as libpq's `options`: poolers such as PgBouncer and RDS Proxy refuse those.
SESSION_SETTINGS = "; ".join(
    (
        *(f"SET {name} = {ms}" for name, ms in TIMEOUTS.items()),
        "SET plan_cache_mode = force_generic_plan",
        *(f"SET {name} = off" for name in BY_KEY_ONLY),
    )
)
# Behind a pooler a session is another with each transaction, and one that was told something is
# either everybody's (PgBouncer) or no longer shared (RDS Proxy): what counts is said each time.
POOLED_READERS_SETTINGS = "; ".join(f"SET LOCAL {name} = {ms}" for name, ms in TIMEOUTS.items())
POOLED_WRITERS_SETTINGS = "; ".join(
    (POOLED_READERS_SETTINGS, *(f"SET LOCAL {name} = off" for name in BY_KEY_ONLY))
)


def _check_options(engine: sa.Engine, url: str) -> None:
    driver: Any = engine.dialect.loaded_dbapi
    try:
        driver.conninfo.make_conninfo(**engine.url.query)
    except driver.ProgrammingError as error:
        raise PostgresUrlError(url, str(error).strip()) from None


def open_engine(
    url: str, connections: int, *, pooled: bool, among_several: str = WRITABLE
) -> sa.Engine:
    """Give a pool of at most `connections`; none is opened yet.

    `pooled`: what is at this URL lends a session for a transaction only. For `among_several` see
    `place_of`. Raises `PostgresExtraMissingError` when there is no driver, and `PostgresUrlError`.
    """
    try:
        engine = sa.create_engine(
            place_of(url, among_several).set(drivername=DRIVER),
            pool_size=connections,
            max_overflow=0,
            # One that was waiting for this change, or that a restarted server cut off, is found
            # out by its first statement and replaced: cheaper than a ping before each transaction.
            pool_pre_ping=False,
            hide_parameters=True,  # they are people's names and addresses, and errors are logged
            isolation_level="READ COMMITTED",
            connect_args={
                "application_name": APPLICATION_NAME,
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                "keepalives_idle": KEEPALIVE_IDLE_SECONDS,
                "tcp_user_timeout": UNACKNOWLEDGED_TIMEOUT_MS,
                "prepare_threshold": None if pooled else PREPARED_FROM,
            },
        )
    except ImportError as error:
        raise PostgresExtraMissingError from error
    _check_options(engine, url)
    sa.event.listen(engine, "handle_error", _withhold)
    if not pooled:
        sa.event.listen(engine, "connect", _settle)
    return engine


def _withhold(context: sa.engine.ExceptionContext) -> None:
    # The server's DETAIL shows the row, the driver's message has it, and errors are logged.
    original, wrapped = context.original_exception, context.sqlalchemy_exception
    said = getattr(getattr(original, "diag", None), "message_primary", None)
    if said and wrapped is not None:
        original.args = (said,)
        wrapped.args = (f"({type(original).__name__}) {said}",)


def _settle(connection: Foreign, _record: object) -> None:
    connection.autocommit = True  # a SET is undone with the transaction it was made in
    connection.execute(SESSION_SETTINGS)
    connection.autocommit = False


def reading(engine: sa.Engine) -> sa.Engine:
    """Give the same pool for transactions that see one committed state and cannot write."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
