"""What every database promises, whatever it is made of."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from tests.conformance.database_fixtures import (
    INSERT,
    KINDS,
    UPSERT,
    Place,
    counters,
    fenced,
    put,
    putting,
    values,
)
from tests.pooler import pooled
from tests.servers import Postgres, postgres_server

from conveyor.core.errors import VersionConflictError
from conveyor.core.transaction import Database, Tx

WRITES_BEFORE_THE_KILL = 200
PATIENCE_SECONDS = 30.0


class OwnMistakeError(Exception):
    """What a function under test raises on purpose."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_server(durable=False) as server:  # here it is only clients that are killed
        yield server


@pytest.fixture(scope="module")
def pooler(postgres: Postgres) -> Iterator[Postgres]:
    with pooled(postgres) as server:
        yield server


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database of each kind."""
    if request.param.startswith("sqlite"):
        return Place(request.param, f"sqlite:///{tmp_path / 'conformance.db'}")
    behind = "pooler" if request.param.endswith("-pooled") else "postgres"
    server: Postgres = request.getfixturevalue(behind)
    return Place(request.param, server.fresh_database())


def test_what_run_returned_is_seen_by_everybody_and_after_reopening(place: Place) -> None:
    def put_seven(tx: Tx) -> str:
        put(tx, "a", 7)
        return "its result"

    async def write(database: Database) -> None:
        assert await database.run(put_seven) == "its result"
        assert await database.read(values) == {"a": 7}

    async def look(database: Database) -> None:
        assert await database.read(values) == {"a": 7}

    place.play(write, look)


SETTINGS = ("enable_seqscan", "statement_timeout", "lock_timeout")


def settings(tx: Tx) -> list[str]:
    return [str(tx.execute(sa.text(f"SHOW {name}")).scalar_one()) for name in SETTINGS]


@pytest.mark.parametrize("place", ["postgresql", "postgresql-pooled"], indirect=True)
def test_what_holds_for_a_transaction_holds_for_each(place: Place) -> None:
    async def look(database: Database) -> None:
        for _ in range(3):
            assert await database.run(settings) == ["off", "1min", "10s"]
            assert await database.read(settings) == ["on", "1min", "10s"]
            assert await database.examine(settings) == ["on", "0", "10s"]

    place.play(look, look)


def test_behind_a_pooler_a_session_is_left_as_it_was(pooler: Postgres) -> None:
    url = pooler.fresh_database()
    Place("postgresql-pooled", url).play(use)
    with psycopg.connect(url, prepare_threshold=None) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
        assert connection.execute("SHOW enable_seqscan").fetchone() == ("on",)
        prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert prepared == (0,)


async def use(database: Database) -> None:
    for number in range(10):
        await database.run(putting(str(number)))
        await database.read(values)


def fail_after_writing(tx: Tx) -> None:
    put(tx, "now")
    tx.later(INSERT, {"id": "later", "value": 0, "version": 1})
    raise OwnMistakeError


def test_no_commit_means_rollback(place: Place) -> None:
    async def story(database: Database) -> None:
        with pytest.raises(OwnMistakeError):
            await database.run(fail_after_writing)
        assert await database.run(values) == {}

    place.play(story)


def test_the_neighbours_of_a_failing_function_commit(place: Place) -> None:
    def write(number: int, tx: Tx) -> None:
        put(tx, f"row-{number}", number)
        if number % 5 == 0:
            raise OwnMistakeError

    async def story(database: Database) -> None:
        runs = (database.run(partial(write, n)) for n in range(20))
        results = await asyncio.gather(*runs, return_exceptions=True)
        assert [n for n, r in enumerate(results) if isinstance(r, OwnMistakeError)] == [
            0,
            5,
            10,
            15,
        ]
        stored = await database.read(values)
        assert sorted(stored.values()) == [n for n in range(20) if n % 5]

    place.play(story)


def test_a_violated_constraint_fails_its_own_function_alone(place: Place) -> None:
    async def story(database: Database) -> None:
        row = {"id": "same", "value": 0, "version": 1}
        runs = [database.run(lambda tx: tx.later(INSERT, row)) for _ in range(3)]
        runs.append(database.run(putting("other")))
        results = await asyncio.gather(*runs, return_exceptions=True)
        assert sum(isinstance(r, sa.exc.IntegrityError) for r in results) == 2
        assert set(await database.read(values)) == {"same", "other"}

    place.play(story)


def test_later_writes_in_the_order_of_first_use_and_before_the_commit(place: Place) -> None:
    def work(tx: Tx) -> dict[str, int]:
        for number in range(300):
            tx.later(INSERT, {"id": f"{number:03}", "value": 0, "version": 1})
            tx.later(UPSERT, {"id": f"{number:03}", "value": number, "version": 1})
        return values(tx)

    async def story(database: Database) -> None:
        assert await database.run(work) == {}
        assert await database.read(values) == {f"{n:03}": n for n in range(300)}

    place.play(story)


def test_the_fence_lets_all_pass_or_none(place: Place) -> None:
    def prepare(tx: Tx) -> None:
        for name in "abc":
            put(tx, name)

    def move_on(tx: Tx, versions: dict[str, int]) -> None:
        put(tx, f"effect of {versions}")
        for name, version in versions.items():
            fenced(tx, name, version, value=5)

    async def story(database: Database) -> None:
        await database.run(prepare)
        await database.run(lambda tx: move_on(tx, {"a": 1, "b": 1}))
        before = await database.read(values)
        assert (before["a"], before["b"], before["c"]) == (5, 5, 0)
        with pytest.raises(VersionConflictError) as caught:
            await database.run(lambda tx: move_on(tx, {"a": 2, "b": 1, "c": 1}))
        assert (caught.value.expected, caught.value.updated) == (3, 2)
        assert await database.read(values) == before

    place.play(story)


def test_a_savepoint_undoes_what_is_inside_and_nothing_else(place: Place) -> None:
    def work(tx: Tx) -> None:
        tx.later(INSERT, {"id": "later before", "value": 0, "version": 1})
        put(tx, "before")
        with pytest.raises(OwnMistakeError), tx.savepoint():
            fail_after_writing(tx)
        with pytest.raises(sa.exc.IntegrityError), tx.savepoint():
            tx.later(INSERT, {"id": "before", "value": 0, "version": 1})
        with pytest.raises(VersionConflictError), tx.savepoint():
            fenced(tx, "before", version=99, value=1)
        with tx.savepoint():
            put(tx, "kept")
            tx.later(INSERT, {"id": "later kept", "value": 0, "version": 1})
        put(tx, "after")

    async def story(database: Database) -> None:
        await database.run(work)
        kept = {"before", "later before", "kept", "later kept", "after"}
        assert set(await database.read(values)) == kept

    place.play(story)


def test_tasks_that_race_for_one_row_lose_no_update(place: Place) -> None:
    increment = counters.update().values(value=counters.c.value + 1)

    async def story(database: Database) -> None:
        await database.run(putting("a"))
        await asyncio.gather(*(database.run(lambda tx: tx.execute(increment)) for _ in range(200)))
        assert await database.read(values) == {"a": 200}

    place.play(story)


def test_tasks_that_race_behind_the_fence_win_once_a_version(place: Place) -> None:
    """Each reads the version and writes later: of those that read the same one, one passes."""

    def add_one(tx: Tx) -> None:
        row = tx.execute(sa.select(counters)).one()
        fenced(tx, row.id, row.version, row.value + 1)

    async def until_it_passes(database: Database) -> None:
        while True:
            try:
                await database.run(add_one)
            except VersionConflictError:
                continue
            return

    async def story(database: Database) -> None:
        await database.run(putting("a"))
        await asyncio.gather(*(until_it_passes(database) for _ in range(50)))
        assert await database.read(values) == {"a": 50}

    place.play(story)


def test_read_cannot_write(place: Place) -> None:
    async def story(database: Database) -> None:
        row = {"id": "a", "value": 0, "version": 1}
        with pytest.raises(sa.exc.DBAPIError, match=r"(?i)read-?only"):
            await database.read(putting("a"))
        with pytest.raises(sa.exc.DBAPIError, match=r"(?i)read-?only"):
            await database.read(lambda tx: tx.later(INSERT, row))
        await database.run(putting("b"))
        assert await database.read(values) == {"b": 0}

    place.play(story)


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_read_sees_what_is_committed_and_nothing_else(place: Place) -> None:
    written, looked = threading.Event(), threading.Event()

    def write(tx: Tx) -> None:
        put(tx, "a")
        written.set()
        assert looked.wait(PATIENCE_SECONDS)

    def look(tx: Tx) -> dict[str, int]:
        assert written.wait(PATIENCE_SECONDS)
        seen = values(tx)
        looked.set()
        return seen

    async def story(database: Database) -> None:
        seen, _ = await asyncio.gather(database.read(look), database.run(write))
        assert seen == {}
        assert await database.read(values) == {"a": 0}

    place.play(story)


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_a_long_read_sees_one_state_while_writers_go_on(place: Place) -> None:
    begun, wrote = threading.Event(), threading.Event()

    def look_twice(tx: Tx) -> list[dict[str, int]]:
        first = values(tx)
        begun.set()
        assert wrote.wait(PATIENCE_SECONDS)
        return [first, values(tx)]

    async def story(database: Database) -> None:
        reading = asyncio.create_task(database.read(look_twice))
        assert await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
        await database.run(putting("a"))
        wrote.set()
        assert await reading == [{}, {}]

    place.play(story)


def test_a_cancelled_submitter_leaves_the_database_usable(place: Place) -> None:
    async def story(database: Database) -> None:
        doomed = asyncio.create_task(database.run(putting("doomed")))
        await asyncio.sleep(0)
        doomed.cancel()
        await database.run(putting("kept"))
        assert set(await database.read(values)) - {"doomed"} == {"kept"}

    place.play(story)


def test_after_a_kill_everything_that_run_returned_is_there(place: Place) -> None:
    command = [sys.executable, "-m", "tests.conformance.database_child"]
    command += [place.kind.removesuffix("-inline"), place.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline().strip() for _ in range(WRITES_BEFORE_THE_KILL)]
        child.kill()
        said += child.stdout.read().split()  # what it managed to say before the kill

    async def look(database: Database) -> None:
        assert set(said) <= set(await database.read(values))

    assert all(said)
    place.play(look)
