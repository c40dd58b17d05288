"""On PostgreSQL what only grows is kept by month, and nothing ever fails for want of one."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from tests.servers.migrated import migrated_database
from tests.servers.postgres import Postgres

from conveyor.adapters.migrations import migrate
from conveyor.adapters.migrations.upgrade import alembic_config, upgrade
from conveyor.adapters.postgres import PostgresDatabase, months
from conveyor.core import attempts, timeline
from conveyor.core.ambient import Ambient, first_id_at
from conveyor.core.months import Month, month_of_id, months_from
from conveyor.core.tables import calls
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.settings import Settings
from conveyor.system.installation import installation
from conveyor.system.months import AHEAD, Months, servers_clock
from conveyor.system.tables import migrate_all

T = TypeVar("T")
INSTALLED = installation(Settings())
BEFORE = "0009"
"""The last revision at which each of them was one table."""
LONG_AGO_MS, FAR_AHEAD_MS = 1_000_000_000_000, 4_000_000_000_000


@pytest.fixture(scope="module")
def migrated(postgres: Postgres) -> str:
    """A database of now."""
    return migrated_database(postgres)


def play(url: str, story: Callable[[PostgresDatabase], Awaitable[T]]) -> T:
    async def tell() -> T:
        database = PostgresDatabase(url)
        try:
            return await story(database)
        finally:
            await database.close()

    return asyncio.run(tell())


def note(url: str, *order_ids: str) -> None:
    def write(tx: Tx) -> None:
        for order_id in order_ids:
            timeline.note(tx, order_id, 1, 1, TimelineEvent.PLACED)

    play(url, lambda database: database.run(write))


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def homes(url: str, table: str = "timeline") -> dict[str, str]:
    """Give in which partition the rows of each order are."""
    return dict(rows(url, f"SELECT order_id, tableoid::regclass::text FROM {table}"))  # noqa: S608


def now_of(url: str) -> int:
    return play(url, servers_clock)


def new_id(at_ms: int) -> str:
    return first_id_at(at_ms)[:10] + Ambient(_Still(), random.Random()).new_id()[10:]


class _Still:
    def now_ms(self) -> int:
        return 0


def test_months_follow_one_another_and_are_told_by_ids() -> None:
    december = Month.named("2026-12")
    assert december.next == Month(2027, 1) == Month.at(december.next.begins_ms)
    assert month_of_id(first_id_at(december.next.begins_ms - 1)) == december
    assert month_of_id(december.until_id) == december.next
    assert first_id_at(december.next.begins_ms - 1) < december.until_id
    assert month_of_id("order-1") is None
    with pytest.raises(ValueError, match="remains"):
        Month.named("2026-13")


def test_each_order_lies_in_its_month_and_others_by_themselves(migrated: str) -> None:
    this = Month.at(now_of(migrated))
    ids = {month: new_id(month.begins_ms) for month in months_from(this, 1 + AHEAD)}
    others = [new_id(LONG_AGO_MS), new_id(FAR_AHEAD_MS), "not-one-of-ours"]
    note(migrated, *ids.values(), *others)
    found = homes(migrated)
    for month, order_id in ids.items():
        assert found[order_id] == f"timeline_{month.name.replace('-', '_')}"
    assert {found[order_id] for order_id in others} == {"timeline_default"}


LOOKS: dict[str, tuple[Callable[[Tx, list[str]], object], str]] = {
    "the faults of a group": (timeline.faults, "timeline"),
    "the attempts of a group": (attempts.latest, "calls"),
    "the story of one": (lambda tx, ids: timeline.of_order(tx, ids[0]), "timeline"),
    "what is new of one": (lambda tx, ids: timeline.since(tx, ids[0], 0, 9), "timeline"),
    "the attempts of one": (lambda tx, ids: attempts.of_order(tx, ids[0]), "calls"),
    "the results of a group": (lambda tx, ids: close_calls(tx, *ids), "calls"),
}
_END = sa.update(calls).where(calls.c.order_id == sa.bindparam("b_id")).values(ended_at=1)


def close_calls(tx: Tx, *order_ids: str) -> None:
    for order_id in order_ids:
        tx.later(_END, {"b_id": order_id})


@pytest.mark.parametrize("look", LOOKS)
def test_who_looks_up_orders_looks_into_their_month_alone(migrated: str, look: str) -> None:
    work, table = LOOKS[look]
    now = now_of(migrated)
    ids = [new_id(now) for _ in range(10)]
    before = scans(migrated)

    def looking(tx: Tx) -> None:
        work(tx, ids)
        tx.flush()
        tx.execute(sa.text("SELECT pg_stat_force_next_flush()"))

    play(migrated, lambda database: database.run(looking))

    looked_into = {name for name, count in scans(migrated).items() if count > before[name]}
    assert looked_into == {f"{table}_{Month.at(now).name.replace('-', '_')}"}


def scans(url: str) -> dict[str, int]:
    """Give how often each partition was looked into."""
    query = "SELECT relname, coalesce(idx_scan, 0) + seq_scan FROM pg_stat_user_tables"
    return dict(rows(url, f"{query} WHERE relname ~ '^(timeline|calls)_'"))


def at_the_revision_before(url: str) -> None:
    def back(tx: Tx) -> None:
        upgrade(tx)
        command.downgrade(alembic_config(tx.connection), BEFORE)

    play(url, lambda database: database.run(back))


FILL = """
    INSERT INTO timeline (order_id, version, at, event, step, attempt, detail)
        VALUES ('{0}', 1, 1, 'placed', '', 0, ''), ('{0}', 1, 2, 'done', 's.s', 1, '');
    INSERT INTO calls (order_id, step, attempt, state, intended_at, may_run_until, taken, request)
        VALUES ('{0}', 's.s', 1, 'answered', 1, 2, 1, '')
"""


def test_what_is_there_becomes_the_part_of_all_before_the_next_month(postgres: Postgres) -> None:
    url = postgres.fresh_database()
    at_the_revision_before(url)
    now = now_of(url)
    old, current, beyond = new_id(LONG_AGO_MS), new_id(now), new_id(FAR_AHEAD_MS)
    with psycopg.connect(url) as connection:
        for order_id in (old, current, beyond):
            connection.execute(FILL.format(order_id).encode())
    before = rows(url, "SELECT * FROM timeline ORDER BY id"), rows(url, "SELECT * FROM calls")
    [(file,)] = rows(url, "SELECT pg_relation_filenode('timeline')")

    play(url, lambda database: migrate_all(database, INSTALLED))

    assert rows(url, "SELECT * FROM timeline ORDER BY id") == before[0]
    assert sorted(rows(url, "SELECT * FROM calls")) == sorted(before[1])
    upto = Month.at(now).next.name.replace("-", "_")
    for table in ("timeline", "calls"):
        home = f"{table}_before_{upto}"
        assert homes(url, table) == {old: home, current: home, beyond: f"{table}_default"}
    # It is the same file: nothing was copied.
    assert rows(url, f"SELECT pg_relation_filenode('timeline_before_{upto}')") == [(file,)]
    note(url, current)
    assert rows(url, "SELECT max(id) FROM timeline") == [(7,)]


def oldest_of_timeline(tx: Tx) -> months.Partition:
    return next(it for it in months.partitions(tx) if it.table == "timeline" and it.until)


def test_numbers_go_on_when_what_was_there_is_gone(postgres: Postgres) -> None:
    url = postgres.fresh_database()
    at_the_revision_before(url)
    with psycopg.connect(url) as connection:
        connection.execute(FILL.format(new_id(LONG_AGO_MS)).encode())
    play(url, lambda database: migrate_all(database, INSTALLED))
    part = play(url, lambda database: database.read(oldest_of_timeline))
    kept = play(url, lambda database: database.run(lambda tx: months.detach(tx, part)))
    with psycopg.connect(url) as connection:
        connection.execute(f"DROP TABLE {kept}".encode())
    note(url, new_id(now_of(url)))
    assert rows(url, "SELECT id FROM timeline") == [(3,)]


def test_a_migration_that_is_broken_off_leaves_all_as_it_was(postgres: Postgres) -> None:
    url = postgres.fresh_database()
    at_the_revision_before(url)
    with psycopg.connect(url) as connection:
        connection.execute(FILL.format(new_id(LONG_AGO_MS)).encode())
        connection.execute("CREATE TABLE calls_default (other text)")
    with pytest.raises(sa.exc.DBAPIError, match="calls_default"):
        play(url, migrate)
    assert rows(url, "SELECT version_num FROM alembic_version") == [(BEFORE,)]
    assert set(homes(url).values()) == {"timeline"}
    assert rows(url, "SELECT relkind FROM pg_class WHERE relname = 'timeline'") == [("r",)]


def without_months(url: str, table: str = "timeline") -> list[str]:
    """Take the months of a table away; gives their names."""
    names = [it for (it,) in rows(url, _MONTHS.format(table))]
    with psycopg.connect(url) as connection:
        for name in names:
            connection.execute(f"DROP TABLE {name}".encode())
    return names


_MONTHS = (
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^{}_[0-9]{{4}}' ORDER BY 1"
)


@pytest.fixture
def url(postgres: Postgres) -> str:
    return migrated_database(postgres)


def make_ahead(url: str) -> bool:
    now = now_of(url)
    return play(url, lambda database: Months(database, lambda: now).make_ahead())


def test_who_sweeps_makes_what_is_missing(url: str) -> None:
    names = without_months(url)
    assert len(names) == 1 + AHEAD
    assert make_ahead(url)
    assert without_months(url) == names


def test_orders_go_on_where_the_role_may_make_none(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    without_months(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE worker LOGIN")
        connection.execute(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO worker"
        )
        connection.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO worker")
    theirs = url.replace("postgres@", "worker@")
    now = now_of(url)

    async def twice(database: PostgresDatabase) -> list[bool]:
        ours = Months(database, lambda: now)
        return [await ours.make_ahead() for _ in range(2)]

    with caplog.at_level(logging.INFO):
        assert play(theirs, twice) == [True, True]
    assert [it.levelname for it in caplog.records if "conveyor migrate" in it.message] == [
        "WARNING"
    ]
    note(theirs, new_id(now))
    assert set(homes(url).values()) == {"timeline_default"}
    # What the default partition has by now is moved only by who is told to.
    assert make_ahead(url)
    assert Month.at(now).name.replace("-", "_") not in "".join(rows_of_months(url))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP OWNED BY worker")
        connection.execute("DROP ROLE worker")


def rows_of_months(url: str) -> list[str]:
    return [it for (it,) in rows(url, _MONTHS.format("timeline"))]


def test_whoever_reads_for_long_is_not_waited_for(url: str) -> None:
    without_months(url)
    with psycopg.connect(url) as reader:
        reader.execute("LOCK TABLE timeline_default IN ACCESS SHARE MODE")
        assert not make_ahead(url)
        note(url, new_id(FAR_AHEAD_MS))  # and who writes there does not wait either
    assert make_ahead(url)
    assert len(rows_of_months(url)) == 1 + AHEAD
