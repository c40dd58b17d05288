"""A PostgreSQL server: what it says of itself, and what of that is not as Conveyor needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.adapters.loopback import is_loopback
from conveyor.adapters.simulated.opening import CONNECTIONS
from conveyor.adapters.steady_clock import since_boot_seconds
from conveyor.core.transaction import Tx
from conveyor.extension.ports import PAYMENTS, SIMULATED
from conveyor.operations.doctor.findings import Finding, failure, fine, warning
from conveyor.operations.doctor.skew import judged as judged_skew
from conveyor.settings import Settings
from conveyor.system.named_ports import named, read_named
from conveyor.system.timekeeper import server_reading

CHECK = "database"
TESTED_MAJOR = 18
OLDEST_MAJOR = 14
"""The oldest that the PostgreSQL project still mends."""
COLLATION_VERSIONS_SINCE = 15
LOOKS_AT_CLOCK = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """What one connection finds; limits of connections are -1 for none."""

    version: str
    major: int
    settings: dict[str, str]
    """In force on this connection."""
    defaults: dict[str, str]
    """What the server, the database, the role or the URL gives to a connection."""
    is_standby: bool
    is_read_only: bool
    isolation: str
    encoding: str
    collation: str
    collation_made_with: str
    collation_is_now: str
    connections: int
    database_limit: int
    role_limit: int
    host: str
    has_tls: bool


def facts(tx: Tx) -> Facts:
    """Ask the server."""
    read = tx.execute(_SETTINGS).all()
    major = int(next(it.setting for it in read if it.name == "server_version_num")) // 10_000
    row = tx.execute(_FACTS).one()
    made_with, is_now = "", ""
    if major >= COLLATION_VERSIONS_SINCE:
        made_with, is_now = (str(it or "") for it in tx.execute(_VERSIONS).one())
    # The pool knows no driver, and so no type for its connection.
    info = tx.connection.connection.driver_connection.info  # type: ignore[union-attr]
    in_force = {it.name: it.setting for it in read}
    return Facts(
        version=in_force["server_version"],
        major=major,
        settings=in_force,
        defaults={it.name: it.reset_val for it in read},
        is_standby=row.is_standby,
        is_read_only=row.is_read_only == "on",
        isolation=row.isolation,
        encoding=row.encoding,
        collation=row.collation,
        collation_made_with=made_with,
        collation_is_now=is_now,
        connections=row.connections,
        database_limit=row.database_limit,
        role_limit=row.role_limit,
        host=info.host or "",
        has_tls=bool(row.has_tls),
    )


def judged(given: Facts, settings: Settings) -> list[Finding]:
    """Hold the facts against what Conveyor needs."""
    found = [
        *_version(given),
        *_writing(given),
        *_durability(given),
        *_time_outs(given),
        *_connections(given, settings),
        *_text(given),
        *transport(given, CHECK, "CONVEYOR_DATABASE_URL"),
    ]
    zone = given.settings["TimeZone"]
    found.append(fine(CHECK, "time zone", f"{zone}; times are stored as UTC, whatever it is"))
    return found


def clock(tx: Tx, now_ms: Callable[[], int]) -> list[Finding]:
    """Compare our clock with the server's: the narrowest of some looks counts."""
    looks = []
    for _ in range(LOOKS_AT_CLOCK):
        begun, ours = since_boot_seconds(), now_ms()
        reading = server_reading(tx, since_boot_seconds)
        half = (since_boot_seconds() - begun) / 2
        looks.append((half, (reading.ms - ours) / 1000 - half))
    bound, skew = min(looks)
    return [judged_skew("database", skew, bound, WHOSE_TIME)]


def neighbours(tx: Tx) -> int:
    """Count the connections of other processes of ours to this database."""
    return int(tx.execute(_NEIGHBOURS).scalar_one())


def _version(given: Facts) -> Iterator[Finding]:
    if given.major < OLDEST_MAJOR:
        says = f"PostgreSQL {given.version}, which nobody mends any more"
        yield warning(CHECK, "server", says, f"upgrade; it is tested with {TESTED_MAJOR}")
    else:
        yield fine(CHECK, "server", f"PostgreSQL {given.version}")


def _writing(given: Facts) -> Iterator[Finding]:
    if given.is_standby:
        says = "it is a standby: it takes no writes"
        yield failure(CHECK, "read-only", says, "name the primary in CONVEYOR_DATABASE_URL")
    elif given.is_read_only:
        says = "transactions are read-only (default_transaction_read_only)"
        yield failure(CHECK, "read-only", says, "reset it for this database and role")
    if given.isolation != "read committed":
        says = f"our transactions are {given.isolation}, not read committed"
        yield failure(CHECK, "isolation", says, "look at the pooler between: it changes them")
    elif (default := given.defaults["default_transaction_isolation"]) != "read committed":
        says = f"the default is {default}; Conveyor asks for read committed, and gets it"
        yield fine(CHECK, "isolation", says)


def _durability(given: Facts) -> Iterator[Finding]:
    for name in ("fsync", "full_page_writes"):
        if given.settings[name] == "off":
            says = "it is off: a crash of the machine can destroy the database"
            yield failure(CHECK, name, says, f"set {name} = on")
    if given.settings["synchronous_commit"] == "off":
        says = "it is off: an order that was answered with 202 can be lost"
        yield failure(CHECK, "synchronous_commit", says, "set synchronous_commit = on")


def _time_outs(given: Facts) -> Iterator[Finding]:
    from conveyor.adapters.postgres import connections as ours

    for name, wanted in ours.TIMEOUTS.items():
        if given.settings[name] != str(wanted):
            says = f"it is {given.settings[name]} ms on our connection, which has set {wanted} ms"
            todo = "look at the pooler between: it must keep what a session sets, or be told of in "
            todo += "CONVEYOR_DATABASE_POOLED"
            yield failure(CHECK, name, says, todo)
    whole = int(given.settings.get("transaction_timeout", 0))
    if 0 < whole < ours.STATEMENT_TIMEOUT_MS:
        says = f"it is {whole} ms: longer groups of orders are broken off, again and again"
        todo = f"set it to {ours.STATEMENT_TIMEOUT_MS} or 0 for this role"
        yield warning(CHECK, "transaction_timeout", says, todo)
    idle = int(given.settings.get("idle_session_timeout", 0))
    if idle:
        says = f"it is {idle} ms: the server closes connections that rest in our pool"
        yield warning(CHECK, "idle_session_timeout", says, "set it to 0 for this role")


def _connections(given: Facts, settings: Settings) -> Iterator[Finding]:
    reserved = ("superuser_reserved_connections", "reserved_connections")
    most = int(given.settings["max_connections"])
    most -= sum(int(given.settings.get(name, 0)) for name in reserved)
    limits = [it for it in (given.database_limit, given.role_limit) if it >= 0]
    most = min([most, *limits])
    pool = settings.database_connections
    each = pool + _simulated(settings) * min(CONNECTIONS, pool)
    others = given.connections - 1
    says = f"{most} at most, {others} are open; a process of ours takes up to {each}"
    todo = "raise max_connections or the limit of role or database, lower "
    todo += "CONVEYOR_DATABASE_CONNECTIONS, or put a pooler between"
    if each > most:
        yield failure(CHECK, "connections", says, todo)
    elif each > most - others:
        yield warning(CHECK, "connections", f"{says}: no further process has room", todo)
    else:
        yield fine(CHECK, "connections", f"{says}: {(most - others) // each} more have room")


def _simulated(settings: Settings) -> int:
    """Count those who are simulated: their books are on the same server, beside ours."""
    if settings.simulated_database_url:
        return 0
    outside = named(PAYMENTS, settings), read_named(settings.carrier, "CONVEYOR_CARRIER")
    return [name for it in outside for name in (it.default, *it.others)].count(SIMULATED)


def _text(given: Facts) -> Iterator[Finding]:
    if given.encoding != "UTF8":
        todo = "make a database with ENCODING 'UTF8'"
        yield failure(CHECK, "encoding", f"it is {given.encoding}, not UTF8", todo)
    else:
        yield fine(CHECK, "encoding", f"UTF8, collation {given.collation}")
    if given.collation_made_with != given.collation_is_now:
        says = f"indexes were made with version {given.collation_made_with}, the server now has "
        says += f"{given.collation_is_now}: a text may not be found again"
        todo = "REINDEX DATABASE, then ALTER DATABASE ... REFRESH COLLATION VERSION"
        yield failure(CHECK, "collation", says, todo)


def transport(given: Facts, check: str, setting: str) -> Iterator[Finding]:
    """Say whether anybody on the way can read along."""
    is_local = not given.host or given.host.startswith("/") or is_loopback(given.host)
    if given.has_tls or is_local:  # a path is that of a socket
        return
    says = f"orders go to {given.host} without TLS"
    yield warning(check, "TLS", says, f"add ?sslmode=verify-full to {setting}")


SHORTLY = "SET LOCAL statement_timeout = 15000; SET LOCAL lock_timeout = 5000"
"""For the rest of a look: it is given up by then, and must not be waited for."""
WHOSE_TIME = "all processes go by the database's clock: keep that one right, with NTP"
_SETTINGS = sa.text(
    "SELECT name, setting, reset_val FROM pg_settings WHERE name IN ("
    "'server_version', 'server_version_num', 'TimeZone', 'fsync', 'full_page_writes', "
    "'synchronous_commit', 'default_transaction_isolation', 'statement_timeout', 'lock_timeout', "
    "'idle_in_transaction_session_timeout', 'transaction_timeout', 'idle_session_timeout', "
    "'max_connections', 'superuser_reserved_connections', 'reserved_connections')"
)
_FACTS = sa.text(
    "SELECT pg_is_in_recovery() AS is_standby, "
    "current_setting('transaction_read_only') AS is_read_only, "
    "current_setting('transaction_isolation') AS isolation, "
    "pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collation, "
    "d.datconnlimit AS database_limit, r.rolconnlimit AS role_limit, "
    "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections, "
    "(SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS has_tls "
    "FROM pg_database d, pg_roles r "
    "WHERE d.datname = current_database() AND r.rolname = current_user"
)
_VERSIONS = sa.text(
    "SELECT datcollversion, pg_database_collation_actual_version(oid) FROM pg_database "
    "WHERE datname = current_database()"
)
_NEIGHBOURS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'conveyor' "
    "AND datname = current_database() AND pid <> pg_backend_pid()"
)
