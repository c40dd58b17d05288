"""What every database promises, whatever it is made of."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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
    values,
)
from tests.servers import Postgres, postgres_server

from conveyor.messaging.errors import VersionConflictError
from conveyor.messaging.transaction import Database, Tx

WRITES_BEFORE_THE_KILL = 200


class OwnMistakeError(Exception):
    """What a function under test raises on purpose."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database of each kind."""
    if request.param.startswith("sqlite"):
        return Place(request.param, f"sqlite:///{tmp_path / 'conformance.db'}")
    server: Postgres = request.getfixturevalue("postgres")
    return Place(request.param, server.fresh_database())


def test_what_run_returned_is_seen_by_everybody_and_after_reopening(place: Place) -> None:
    async def write(database: Database) -> None:
        assert await database.run(lambda tx: put(tx, "a", 7) or "its result") == "its result"
        assert await database.read(values) == {"a": 7}

    async def look(database: Database) -> None:
        assert await database.read(values) == {"a": 7}

    place.play(write, look)


def test_no_commit_means_rollback(place: Place) -> None:
    def fail_after_writing(tx: Tx) -> None:
        put(tx, "now")
        tx.later(INSERT, {"id": "later", "value": 0, "version": 1})
        raise OwnMistakeError

    async def story(database: Database) -> None:
        with pytest.raises(OwnMistakeError):
            await database.run(fail_after_writing)
        assert await database.run(values) == {}

    place.play(story)


def test_the_neighbours_of_a_failing_function_commit(place: Place) -> None:
    def write(tx: Tx, number: int) -> int:
        put(tx, f"row-{number}", number)
        if number % 5 == 0:
            raise OwnMistakeError
        return number

    async def story(database: Database) -> None:
        runs = (database.run(lambda tx, n=n: write(tx, n)) for n in range(20))
        results = await asyncio.gather(*runs, return_exceptions=True)
        assert [n for n, r in enumerate(results) if isinstance(r, OwnMistakeError)] == [0, 5, 10, 15]
        stored = await database.read(values)
        assert sorted(stored.values()) == [n for n in range(20) if n % 5]

    place.play(story)


def test_a_violated_constraint_fails_its_own_function_alone(place: Place) -> None:
    async def story(database: Database) -> None:
        row = {"id": "same", "value": 0, "version": 1}
        runs = [database.run(lambda tx: tx.later(INSERT, row)) for _ in range(3)]
        runs.append(database.run(lambda tx: put(tx, "other")))
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
            put(tx, "inside")
            tx.later(INSERT, {"id": "later inside", "value": 0, "version": 1})
            raise OwnMistakeError
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
        await database.run(lambda tx: put(tx, "a"))
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
        await database.run(lambda tx: put(tx, "a"))
        await asyncio.gather(*(until_it_passes(database) for _ in range(50)))
        assert await database.read(values) == {"a": 50}

    place.play(story)


def test_read_cannot_write(place: Place) -> None:
    async def story(database: Database) -> None:
        row = {"id": "a", "value": 0, "version": 1}
        with pytest.raises(sa.exc.DBAPIError, match=r"(?i)read-?only"):
            await database.read(lambda tx: put(tx, "a"))
        with pytest.raises(sa.exc.DBAPIError, match=r"(?i)read-?only"):
            await database.read(lambda tx: tx.later(INSERT, row))
        await database.run(lambda tx: put(tx, "b"))
        assert await database.read(values) == {"b": 0}

    place.play(story)


def test_a_cancelled_submitter_leaves_the_database_usable(place: Place) -> None:
    async def story(database: Database) -> None:
        doomed = asyncio.create_task(database.run(lambda tx: put(tx, "doomed")))
        await asyncio.sleep(0)
        doomed.cancel()
        await database.run(lambda tx: put(tx, "kept"))
        assert set(await database.read(values)) - {"doomed"} == {"kept"}

    place.play(story)


def test_after_a_kill_everything_that_run_returned_is_there(place: Place) -> None:
    command = [sys.executable, "-m", "tests.conformance.database_child", place.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline().strip() for _ in range(WRITES_BEFORE_THE_KILL)]
        child.kill()
        said += child.stdout.read().split()  # what it managed to say before the kill

    async def look(database: Database) -> None:
        assert set(said) <= set(await database.read(values))

    assert all(said)
    place.play(look)
