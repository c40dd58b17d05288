"""What is PostgreSQL's own: deadlocks, connections that are lost, COMMITs without an answer."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from tests.cli.driver import until
from tests.conformance.database_fixtures import Place
from tests.servers.postgres import Postgres, postgres_server
from tests.servers.process import free_port
from tests.servers.standby import waiting_for

from conveyor.adapters.postgres import PostgresDatabase
from conveyor.adapters.postgres.errors import AbortedTransactionError, PostgresExtraMissingError
from conveyor.core.errors import CommitUnknownError, DatabaseUnavailableError
from conveyor.core.transaction import Database, Tx
from conveyor.testing.conformance.databases.under_test import UPSERT, counters, put, putting, values
from conveyor.testing.loop import run_virtual

PATIENCE_SECONDS = 30.0
NAME = "somebody at 1 Main Street"
INCREMENT = (
    counters.update()
    .where(counters.c.id == sa.bindparam("b_id"))
    .values(value=counters.c.value + 1)
)
END_OTHERS = sa.text(
    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
CANCEL_WAITS = (
    "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
)
# A deferred trigger fires inside COMMIT.
DIE_AT_COMMIT = """
    CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER die AFTER INSERT ON counters
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die();
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_server(durable=False) as server:
        yield server


@pytest.fixture
def place(postgres: Postgres) -> Place:
    return Place("postgresql", postgres.fresh_database())


def test_rows_of_one_batch_that_meet_are_written_one_after_the_other(place: Place) -> None:
    twice = [{"b_id": name} for name in "aabcde"]

    def count(tx: Tx) -> None:
        for row in twice:
            tx.later(INCREMENT, row, must_match=True)
        for value in range(1, 6):
            tx.later(UPSERT, {"id": "last", "value": value, "version": 1})

    async def story(database: Database) -> None:
        for name in "abcde":
            await database.run(putting(name))
        await database.run(count)
        expected = {"a": 2, "b": 1, "c": 1, "d": 1, "e": 1, "last": 5}
        assert await database.read(values) == expected

    place.play(story)


def test_functions_that_lock_in_opposite_order_both_succeed(place: Place) -> None:
    meeting = threading.Barrier(2)
    runs: list[str] = []

    def lock(tx: Tx, first: str, second: str) -> None:
        runs.append(first)
        tx.execute(INCREMENT, {"b_id": first})
        if runs.count(first) == 1:
            meeting.wait(PATIENCE_SECONDS)  # now each holds what the other wants
        tx.execute(INCREMENT, {"b_id": second})

    async def story(database: Database) -> None:
        await database.run(putting("a"))
        await database.run(putting("b"))
        await asyncio.gather(
            database.run(lambda tx: lock(tx, "a", "b")), database.run(lambda tx: lock(tx, "b", "a"))
        )
        assert await database.read(values) == {"a": 2, "b": 2}
        assert len(runs) == 3  # one was the victim, and ran again

    place.play(story)


def test_connections_that_the_server_closed_are_replaced(place: Place) -> None:
    """As after a restart of the server: all that the pool holds is dead."""

    async def story(database: Database) -> None:
        rows = (database.run(putting(str(n))) for n in range(8))  # a pool full
        await asyncio.gather(*rows)
        await end_connections(place.url)
        assert len(await database.read(values)) == 8
        await end_connections(place.url)
        await database.run(putting("after"))
        assert len(await database.read(values)) == 9

    place.play(story)


def test_a_connection_lost_before_the_commit_is_tried_again(place: Place) -> None:
    attempts = []

    def work(tx: Tx) -> None:
        put(tx, "a")
        attempts.append(tx)
        if len(attempts) == 1:
            asyncio.run(end_connections(place.url))
        put(tx, "b")

    async def story(database: Database) -> None:
        await database.run(work)
        assert len(attempts) == 2
        assert set(await database.read(values)) == {"a", "b"}

    place.play(story)


def test_a_connection_lost_during_commit_is_said_to_be_unknown_and_not_tried_again(
    place: Place,
) -> None:
    attempts = []

    def work(tx: Tx) -> None:
        attempts.append(tx)
        put(tx, "a")

    async def story(database: Database) -> None:
        await database.run(lambda tx: tx.connection.exec_driver_sql(DIE_AT_COMMIT))
        with pytest.raises(CommitUnknownError):
            await database.run(work)
        assert len(attempts) == 1
        assert await database.read(values) == {}

    place.play(story)


def test_a_commit_whose_wait_for_a_standby_was_cancelled_is_said_to_be_unknown(
    place: Place, postgres: Postgres
) -> None:
    """It is committed here, and was promised to be there as well."""

    async def story(database: Database) -> None:
        await database.run(putting("before"))
        with (
            psycopg.connect(postgres.url, autocommit=True) as operator,
            waiting_for("nobody", operator),
        ):
            written = await _until_one_waits(database, operator)
        await database.run(putting("after"))
        assert set(await database.read(values)) == {"before", *written, "after"}

    place.play(story)


async def _until_one_waits(database: Database, operator: psycopg.Connection[Any]) -> list[str]:
    """Write, and cancel the wait; gives all that was written.

    A server's backends know its new settings a moment before it lets commits wait.
    """
    written: list[str] = []
    while True:
        written.append(f"a{len(written)}")
        writing = asyncio.create_task(database.run(putting(written[-1])))
        ended = await asyncio.to_thread(until, partial(_ended, writing, operator))
        if ended is not True:
            with pytest.raises(CommitUnknownError, match="synchronous replication"):
                await writing
            return written
        await writing


def test_a_swallowed_error_does_not_pass_for_a_commit(place: Place) -> None:
    def work(tx: Tx) -> None:
        put(tx, "a")
        with pytest.raises(sa.exc.IntegrityError):
            put(tx, "a")

    async def story(database: Database) -> None:
        with pytest.raises(AbortedTransactionError):
            await database.run(work)
        assert await database.read(values) == {}

    place.play(story)


def test_an_error_says_nothing_of_the_row(place: Place) -> None:
    """Errors are logged and kept with parked orders: names and addresses are not for either."""

    def twice(tx: Tx) -> None:
        put(tx, NAME)
        put(tx, NAME)

    async def story(database: Database) -> None:
        with pytest.raises(sa.exc.IntegrityError) as caught:
            await database.run(twice)
        told = "".join(traceback.format_exception(caught.value))
        assert "duplicate key" in told
        assert NAME not in told

    place.play(story)


@pytest.mark.parametrize("code", ["53100", "57014", "55P03"])
def test_what_the_server_cannot_do_now_is_told_apart_from_bugs(place: Place, code: str) -> None:
    def work(tx: Tx) -> None:
        put(tx, "a")
        tx.connection.exec_driver_sql(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$")

    async def story(database: Database) -> None:
        with pytest.raises(DatabaseUnavailableError):
            await database.run(work)
        with pytest.raises(sa.exc.ProgrammingError):
            await database.run(lambda tx: tx.connection.exec_driver_sql("SELECT no_such_thing"))
        assert await database.read(values) == {}

    place.play(story)


def test_a_server_that_cannot_yet_is_given_as_long_as_a_quick_restart_takes(place: Place) -> None:
    tries: list[float] = []

    def work(tx: Tx) -> None:
        tries.append(asyncio.get_running_loop().time())
        tx.connection.exec_driver_sql("DO $$ BEGIN RAISE SQLSTATE '57P03'; END $$")

    async def story() -> None:
        database = PostgresDatabase(place.url, inline=True)
        with pytest.raises(DatabaseUnavailableError):
            await database.run(work)
        await database.close()

    run_virtual(story())
    rests = [later - earlier for earlier, later in pairwise(tries)]
    assert all(rest == pytest.approx(2 * before) for before, rest in pairwise(rests))
    assert 0.5 < sum(rests) < 1


def test_no_server_is_said_clearly_and_without_the_password() -> None:
    async def story() -> None:
        database = PostgresDatabase(f"postgresql://me:secret@127.0.0.1:{free_port()}/orders")
        with pytest.raises(DatabaseUnavailableError, match="refused") as caught:
            await database.run(lambda _tx: None)
        assert "/orders" in caught.value.database
        assert "secret" not in str(caught.value)
        await database.close()

    asyncio.run(story())


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(PostgresExtraMissingError, match=r"pip install 'conveyor\[postgres\]'"):
        PostgresDatabase("postgresql://127.0.0.1/orders")


async def end_connections(url: str) -> None:
    """Have the server close every connection to this database, and wait until it has."""
    operator = PostgresDatabase(url, inline=True)
    await operator.run(lambda tx: tx.execute(END_OTHERS).scalar_one())
    await operator.close()


def _ended(writing: asyncio.Task[None], operator: psycopg.Connection[Any]) -> Any:
    return writing.done() or _one(operator, CANCEL_WAITS)


def _one(operator: psycopg.Connection[Any], question: str) -> Any:
    [answer] = operator.execute(question.encode()).fetchone() or [None]
    return answer
