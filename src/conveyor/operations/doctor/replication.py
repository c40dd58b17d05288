"""A primary's standbys, and the one that is read from: whether it follows, and how closely."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import sqlalchemy as sa

from conveyor.core.errors import ConveyorError
from conveyor.core.transaction import Tx
from conveyor.operations.doctor import postgres
from conveyor.operations.doctor.findings import Finding, failure, fine, warning
from conveyor.operations.doctor.schema import schema
from conveyor.settings import Settings
from conveyor.system.backends import READ_URL
from conveyor.system.installation import Installation, installation

CHECK = "replica"
FOLLOWS_SECONDS = 5.0
"""What was committed is there by then, unless something is wrong or far away."""
GLANCE_SECONDS = 0.05
SHORTEST_WAIT_MS = 5_000
"""A page of the audit takes less, on any server that keeps up."""


class Server(NamedTuple):
    """Which server it is, since when it runs, and up to where its log goes."""

    cluster: int
    since: float
    written: str


async def check(settings: Settings) -> list[Finding]:
    """Look at the replica beside its primary. Raises what cannot be looked at."""
    from conveyor.adapters.postgres.looking import look
    from conveyor.adapters.postgres.places import STANDBY, place_of, shown

    url, pooled = settings.database_read_url, settings.database_pooled
    try:
        primary = await asyncio.to_thread(look, settings.database_url, _server, pooled=pooled)
    except sa.exc.DBAPIError:  # the check of the database tells it
        primary = None
    work = _beside(primary, _installed(settings))
    try:
        return await asyncio.to_thread(look, url, work, pooled=pooled, among_several=STANDBY)
    except sa.exc.DBAPIError as error:
        says = f"it does not answer: {str(error.orig).strip().partition(chr(10))[0]}"
        todo = f"see {READ_URL}, and whether the server runs and lets us in; or leave it out"
        return [failure(CHECK, shown(place_of(url)), says, todo)]


def synchronous(tx: Tx) -> Iterator[Finding]:
    """Say whether commits wait for a standby, and whether there is one to wait for."""
    names, standbys, in_step, unseen = tx.execute(_STANDBYS).one()
    if names and unseen and not in_step:
        says = f"commits wait for {names}; whether it follows this role may not see (pg_monitor)"
        yield fine("database", "standbys", says)
    elif names and not in_step:
        says = f"commits wait for {names}, and no such standby follows: nothing is committed"
        todo = "start the standby, or name those that there are in synchronous_standby_names"
        yield failure("database", "synchronous_standby_names", says, todo)
    elif names:
        yield fine("database", "standbys", f"commits wait for {names}, which follows")
    elif standbys:
        says = f"{standbys} follow; commits wait for none of them: one that is promoted may lack "
        yield fine("database", "standbys", f"{says}the last orders (synchronous_standby_names)")


def _installed(settings: Settings) -> Installation | None:
    try:
        return installation(settings)
    except ConveyorError:  # the check of extensions tells it
        return None


def _server(tx: Tx) -> Server:
    return Server(*tx.execute(_PRIMARY).one())


def _beside(
    primary: Server | None, installed: Installation | None
) -> Callable[[Tx], list[Finding]]:
    def work(tx: Tx) -> list[Finding]:
        tx.connection.exec_driver_sql(postgres.SHORTLY)
        found = [*_follows(tx, primary), *_patience(tx)]
        found += postgres.transport(postgres.facts(tx), CHECK, READ_URL)
        _, of_tables = schema(tx, installed, writes=False)
        return found + [replace(it, check=CHECK) for it in of_tables]

    return work


def _follows(tx: Tx, primary: Server | None) -> Iterator[Finding]:
    recovers, cluster, since = tx.execute(_REPLICA).one()
    if primary is not None and cluster != primary.cluster:
        says = "it is no copy of the database that CONVEYOR_DATABASE_URL names"
        yield failure(CHECK, "standby", says, f"name a standby of it in {READ_URL}")
    elif recovers:
        yield fine(CHECK, "standby", "it replays what its primary writes")
        if primary is not None:
            yield _lag(tx, primary.written)
    elif primary is not None and since == primary.since:
        says = "it is the primary itself: nothing is taken from that one"
        yield warning(CHECK, "standby", says, f"start a standby, or leave {READ_URL} out")
    else:
        says = "it replays nothing, as after its promotion: what is read there gets older and older"
        yield failure(CHECK, "standby", says, f"name a standby of the primary in {READ_URL}")


def _lag(tx: Tx, written: str) -> Finding:
    begun = time.monotonic()
    while behind := int(tx.execute(_BEHIND, {"written": written}).scalar() or 0):
        if time.monotonic() - begun > FOLLOWS_SECONDS:
            says = f"after {FOLLOWS_SECONDS:g} s it is still {behind:,} bytes of the log behind"
            todo = "see whether it receives (pg_stat_wal_receiver), and what its replay waits for"
            return warning(CHECK, "lag", says, todo)
        time.sleep(GLANCE_SECONDS)
    says = f"what was written {time.monotonic() - begun:.2f} s ago is there"
    return fine(CHECK, "lag", says)


def _patience(tx: Tx) -> Iterator[Finding]:
    feedback, wait = tx.execute(_PATIENCE).one()
    if feedback == "off" and 0 <= int(wait) < SHORTEST_WAIT_MS:
        says = f"its replay waits for readers for {wait} ms only: an audit may be cut off"
        todo = "set hot_standby_feedback = on there, or max_standby_streaming_delay = 30s"
        yield warning(CHECK, "max_standby_streaming_delay", says, todo)


_IDENTITY = (
    "(SELECT system_identifier FROM pg_control_system()), "
    "extract(epoch FROM pg_postmaster_start_time())::float8"
)
_PRIMARY = sa.text(f"SELECT {_IDENTITY}, pg_current_wal_lsn()::text")
_REPLICA = sa.text(f"SELECT pg_is_in_recovery(), {_IDENTITY}")
_BEHIND = sa.text("SELECT greatest(0, CAST(:written AS pg_lsn) - pg_last_wal_replay_lsn())::bigint")
_PATIENCE = sa.text(
    "SELECT current_setting('hot_standby_feedback'), "
    "(SELECT setting FROM pg_settings WHERE name = 'max_standby_streaming_delay')"
)
_STANDBYS = sa.text(
    "SELECT current_setting('synchronous_standby_names'), count(pid), "
    "count(pid) FILTER (WHERE sync_state IN ('sync', 'quorum')), "
    "count(pid) FILTER (WHERE sync_state IS NULL) FROM pg_stat_replication"
)
