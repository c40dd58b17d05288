"""A standby of a PostgreSQL, by streaming replication: to read from, and to be promoted."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from tests.cli.driver import until_is
from tests.servers.postgres import (
    Postgres,
    as_account,
    postgres_binaries,
    postgres_settings,
    running_postgres,
    unprivileged_account,
)

STANDBY = "standby"
SYNCHRONOUS = f"synchronous_standby_names={STANDBY}"
"""A setting of the primary: nothing is committed before the standby has it on its disk."""
_STREAMS = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
_BEHIND = "SELECT pg_last_wal_replay_lsn() < %s::pg_lsn"


@contextmanager
def standby_of(
    primary: Postgres, *, durable: bool = False, more: Sequence[str] = ()
) -> Iterator[Postgres]:
    """Copy a server that runs, and let the copy follow it; `more` are further settings."""
    with tempfile.TemporaryDirectory(prefix="conveyor-standby-") as name:
        home, account = Path(name), unprivileged_account()
        if account.user is not None:
            os.chown(home, account.user, -1)
        binaries = postgres_binaries(home)
        copy = [str(binaries / "pg_basebackup"), "-d", primary.url, "-D", str(home / "data")]
        as_account(
            account, home, [*copy, "--checkpoint=fast", "--write-recovery-conf", "--no-sync"]
        )
        settings = (*postgres_settings(durable=durable), f"cluster_name={STANDBY}", *more)
        with running_postgres(binaries, home, account, settings) as server:
            yield server


def either(one: Postgres, other: Postgres, database: str) -> str:
    """Give the URL of a database on whichever of both can be written."""
    places = ",".join(urlsplit(it.url).netloc.rpartition("@")[2] for it in (one, other))
    return f"postgresql://postgres@{places}/{database}"


def on(server: Postgres, database: str) -> str:
    """Give the URL of a database of this server."""
    return f"{server.url.rpartition('/')[0]}/{database}"


def asked(url: str, question: str, *values: object) -> bool:
    """Put a question that has one answer."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question.encode(), values or None).fetchone()
    return bool(row and row[0])


def streams(primary: Postgres) -> bool:
    """Whether a standby is connected, and has all that was written before it was."""
    return asked(primary.url, _STREAMS)


def is_behind(primary: Postgres, standby: Postgres) -> bool:
    """Whether the standby has not replayed all that the primary has written by now."""
    with psycopg.connect(primary.url) as connection:
        [written] = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone() or [""]
    return asked(standby.url, _BEHIND, written)


@contextmanager
def paused(standby: Postgres) -> Iterator[None]:
    """Let it receive what is committed, and not replay it."""
    with psycopg.connect(standby.url, autocommit=True) as connection:
        connection.execute("SELECT pg_wal_replay_pause()")
        until_is("paused", lambda: _state(connection))
        try:
            yield
        finally:
            connection.execute("SELECT pg_wal_replay_resume()")


def _state(connection: psycopg.Connection[Any]) -> str:
    [state] = connection.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() or [""]
    return str(state)


def stop_following(standby: Postgres) -> None:
    """Let it receive nothing more; what it has it keeps."""
    with psycopg.connect(standby.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET primary_conninfo = ''")
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def waiting_for(names: str, primary: psycopg.Connection[Any]) -> Iterator[None]:
    """Let commits of new transactions wait for these standbys."""
    _set_standbys(names, primary)
    try:
        yield
    finally:
        _set_standbys("", primary)


def _set_standbys(names: str, primary: psycopg.Connection[Any]) -> None:
    primary.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'".encode())
    primary.execute("SELECT pg_reload_conf()")
    until_is((names,), lambda: primary.execute("SHOW synchronous_standby_names").fetchone())


def promote(standby: Postgres) -> None:
    """Let it take writes, as the runbook does it; returns once it does."""
    assert asked(standby.url, "SELECT pg_promote()")


def crash(server: Postgres) -> None:
    """Let a server and all of its processes be gone at once, as with its machine."""
    for pid in (server.pid, *_children(server.pid)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _children(parent: int) -> list[int]:
    return [
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if _parent_of(stat) == parent
    ]


def _parent_of(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:  # it is gone
        return 0
