"""The database, whichever it is: there, up to date, and with somebody at work on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from conveyor.core.errors import ConveyorError
from conveyor.core.transaction import Tx
from conveyor.operations.doctor import postgres
from conveyor.operations.doctor.archive import archive
from conveyor.operations.doctor.at_work import (
    at_work,
    embedded_owner,
    orphaned_flows,
    paused_by_hand,
)
from conveyor.operations.doctor.costs import costs
from conveyor.operations.doctor.findings import Finding, failure, fine
from conveyor.operations.doctor.handling import lag, visibility
from conveyor.operations.doctor.indexes import indexes
from conveyor.operations.doctor.keys import keys
from conveyor.operations.doctor.months import kept_by_month
from conveyor.operations.doctor.providers import outside
from conveyor.operations.doctor.replication import synchronous
from conveyor.operations.doctor.schema import schema
from conveyor.settings import Settings
from conveyor.system.installation import Installation, installation

CHECK = "database"


async def check(settings: Settings, now_ms: Callable[[], int]) -> list[Finding]:
    """Look at it on a connection of its own. Raises what cannot be looked at."""
    installed = _installed(settings)
    path = settings.database_path
    if path is not None:
        return await asyncio.to_thread(_embedded, path, settings, installed, now_ms)
    from conveyor.adapters.postgres.looking import look
    from conveyor.adapters.postgres.places import place_of, shown

    work = _on_server(settings, installed, now_ms)
    try:
        return await asyncio.to_thread(
            look, settings.database_url, work, pooled=settings.database_pooled
        )
    except sa.exc.DBAPIError as error:
        place = shown(place_of(settings.database_url))
        says = f"it does not answer: {str(error.orig).strip().partition(chr(10))[0]}"
        todo = "see CONVEYOR_DATABASE_URL, and whether the server runs and lets us in"
        return [failure(CHECK, place, says, todo)]


def _installed(settings: Settings) -> Installation | None:
    try:
        return installation(settings)
    except ConveyorError:  # the check of extensions tells it
        return None


def _on_server(
    settings: Settings, installed: Installation | None, now_ms: Callable[[], int]
) -> Callable[[Tx], list[Finding]]:
    def work(tx: Tx) -> list[Finding]:
        found = postgres.judged(postgres.facts(tx), settings)
        tx.connection.exec_driver_sql(postgres.SHORTLY)
        found += [*postgres.clock(tx, now_ms), *synchronous(tx)]
        current, findings = schema(tx, installed)
        found += findings
        if current:
            found += [*orphaned_flows(tx, installed), *paused_by_hand(tx, now_ms())]
            found += outside(tx, installed, settings)
            found += [*kept_by_month(tx, now_ms), *at_work(tx, postgres.neighbours(tx))]
            found += _at_rest(tx, installed, settings, now_ms())
        return found

    return work


def _at_rest(
    tx: Tx, installed: Installation | None, settings: Settings, now_ms: int
) -> Iterator[Finding]:
    """Look at what any database has."""
    yield from indexes(tx, installed)
    yield from visibility(tx, settings)
    yield from lag(tx, installed, now_ms)
    yield from keys(tx, now_ms)
    yield from archive(tx, settings)
    yield from costs(tx, installed, settings, now_ms)


def _embedded(
    path: Path, settings: Settings, installed: Installation | None, now_ms: Callable[[], int]
) -> list[Finding]:
    from conveyor.adapters.sqlite.looking import look, owner

    if not path.exists():
        todo = "`conveyor up` begins one; name another with --data or CONVEYOR_DATA"
        return [failure(CHECK, str(path), "there is no database", todo)]

    def work(tx: Tx) -> list[Finding]:
        found = [*_file(tx, path)]
        current, findings = schema(tx, installed)
        found += findings
        if current:
            found += [*orphaned_flows(tx, installed), *paused_by_hand(tx, now_ms())]
            found += outside(tx, installed, settings)
            found += embedded_owner(tx, owner(path))
            found += _at_rest(tx, installed, settings, now_ms())
        return found

    try:
        return look(path, work)
    except sa.exc.DBAPIError as error:
        todo = "restore it from a backup, or name another directory"
        return [failure(CHECK, str(path), f"it cannot be read: {error.orig}", todo)]


def _file(tx: Tx, path: Path) -> Iterator[Finding]:
    yield fine(CHECK, str(path), f"SQLite {tx.execute(_VERSION).scalar_one()}")
    encoding = str(tx.execute(_ENCODING).scalar_one())
    if encoding != "UTF-8":
        todo = "begin a new file; SQLite cannot change it"
        yield failure(CHECK, "encoding", f"it is {encoding}, not UTF-8", todo)


_VERSION = sa.text("SELECT sqlite_version()")
_ENCODING = sa.text("PRAGMA encoding")
