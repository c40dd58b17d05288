"""What is SQLite's own: one owner of the file, group commit, and disks that fill up."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.conformance.database_fixtures import Place

from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.core.errors import DatabaseUnavailableError, DataDirectoryInUseError
from conveyor.core.transaction import Database, Tx, Urgent
from conveyor.testing.conformance.databases.under_test import put, putting, values

BIG_ROWS = 2_000
PATIENCE_SECONDS = 30.0
OPEN_AND_SAY_SO = """
import sys
from conveyor.adapters.sqlite import SqliteDatabase
database = SqliteDatabase(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


@pytest.fixture(params=["sqlite", "sqlite-inline"])
def place(request: pytest.FixtureRequest, path: Path) -> Place:
    return Place(request.param, f"sqlite:///{path}")


def put_many(tx: Tx) -> None:
    for number in range(BIG_ROWS):
        put(tx, f"{number:0100}")


@contextmanager
def another_process_owns(path: Path) -> Iterator[int]:
    """Run a process that opens the file, and kill it afterwards; gives its pid."""
    command = [sys.executable, "-c", OPEN_AND_SAY_SO, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        yield child.pid
        child.send_signal(signal.SIGKILL)


def test_a_second_process_is_told_who_owns_the_file(path: Path) -> None:
    with another_process_owns(path) as pid:
        with pytest.raises(DataDirectoryInUseError, match="--server") as caught:
            SqliteDatabase(path)
        assert caught.value.path == str(path)
        assert f"process {pid} " in caught.value.owner


def test_a_killed_owner_leaves_the_file_to_the_next(path: Path) -> None:
    with another_process_owns(path):
        pass
    SqliteDatabase(path).abandon()


def test_the_same_process_cannot_open_the_file_twice(path: Path) -> None:
    first = SqliteDatabase(path)
    with pytest.raises(DataDirectoryInUseError) as caught:
        SqliteDatabase(path)
    assert f"process {os.getpid()} " in caught.value.owner
    first.abandon()
    second = SqliteDatabase(path)
    first.abandon()  # harmless, though the second now owns the file
    with pytest.raises(DataDirectoryInUseError):
        SqliteDatabase(path)
    second.abandon()


def test_a_file_that_is_no_database_is_not_kept_locked(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    for _ in range(2):
        with pytest.raises(Exception, match="not a database"):
            SqliteDatabase(path)


def test_every_commit_is_synced(place: Place) -> None:
    settings = ("journal_mode", "synchronous", "foreign_keys")

    def pragmas(tx: Tx) -> list[object]:
        return [tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in settings]

    async def story(database: Database) -> None:
        assert await database.run(pragmas) == ["wal", 2, 1]  # 2 is FULL

    place.play(story)


def test_what_waits_together_is_committed_together(place: Place) -> None:
    transactions: list[Tx] = []

    async def story(database: Database) -> None:
        await asyncio.gather(*(database.run(transactions.append) for _ in range(100)))

    place.play(story)
    assert len(transactions) == 100
    assert len(set(transactions)) == 1


def test_what_is_urgent_is_committed_before_what_waits(place: Place) -> None:
    done: list[str] = []

    async def story(database: Database) -> None:
        others = (noted(database, done, what) for what in ("a", "b"))
        await asyncio.gather(*others, noted(database, done, "first", urgent=True))
        assert sorted(await database.read(values)) == ["a", "b", "first"]

    place.play(story)
    assert done[0] == "first"


def test_what_is_urgent_breaks_into_what_shares_a_transaction(path: Path) -> None:
    done: list[str] = []

    async def story(database: Database) -> None:
        others = [asyncio.create_task(noted(database, done, what)) for what in ("a", "b", "c")]
        await asyncio.sleep(0)
        await asyncio.gather(noted(database, done, "first", urgent=True), *others)
        assert sorted(await database.read(values)) == ["a", "b", "c", "first"]

    Place("sqlite", f"sqlite:///{path}").play(story)
    assert done.index("first is on disk") < done.index("c")


async def noted(database: Database, done: list[str], what: str, *, urgent: bool = False) -> None:
    """Put a value, and note when that was done, and when it was on disk."""

    def work(tx: Tx) -> None:
        put(tx, what)
        done.append(what)

    await database.run(Urgent(work) if urgent else work)
    done.append(f"{what} is on disk")


def test_a_group_that_fails_is_run_again_in_parts_until_the_culprit_is_alone(place: Place) -> None:
    def write(number: int, tx: Tx) -> None:
        put(tx, str(number))
        if number == 7:
            raise ZeroDivisionError

    async def story(database: Database) -> None:
        runs = (database.run(partial(write, n)) for n in range(10))
        results = await asyncio.gather(*runs, return_exceptions=True)
        assert [type(r) for r in results].count(ZeroDivisionError) == 1
        assert set(await database.read(values)) == {str(n) for n in range(10)} - {"7"}

    place.play(story)


def test_nobody_waits_for_a_long_examination(path: Path) -> None:
    seen = threading.Event()

    async def story(database: Database) -> None:
        long = asyncio.create_task(database.examine(lambda _: seen.wait(PATIENCE_SECONDS)))
        await database.run(putting("meanwhile"))
        assert "meanwhile" in await database.read(values)
        assert not long.done()
        seen.set()
        assert await long

    Place("sqlite", f"sqlite:///{path}").play(story)


def test_close_finishes_what_was_submitted(place: Place) -> None:
    async def leave_at_once(database: Database) -> None:
        for number in range(10):
            run = asyncio.ensure_future(database.run(putting(str(number))))
            run.add_done_callback(asyncio.Future.result)
        await asyncio.sleep(0)

    async def look(database: Database) -> None:
        assert len(await database.read(values)) == 10

    place.play(leave_at_once, look)


def test_a_full_file_fails_its_own_functions_and_leaves_nothing_half_done(place: Place) -> None:
    def limit(tx: Tx, pages: int) -> None:
        tx.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    async def story(database: Database) -> None:
        await database.run(lambda tx: limit(tx, 20))
        big, small = await asyncio.gather(
            database.run(put_many), database.run(putting("a")), return_exceptions=True
        )
        assert isinstance(big, DatabaseUnavailableError)
        assert "full" in big.cause
        assert small is None
        assert await database.read(values) == {"a": 0}
        await database.run(lambda tx: limit(tx, 1_000_000))
        await database.run(put_many)
        assert len(await database.read(values)) == BIG_ROWS + 1

    place.play(story)


def test_a_disk_that_takes_no_more_at_commit_leaves_nothing_half_done(
    place: Place, path: Path
) -> None:
    """The kernel refuses to let the log grow: what a full disk does, met where it is synced."""
    log = path.with_name(f"{path.name}-wal")

    async def story(database: Database) -> None:
        await database.run(putting("before"))
        with files_no_longer_than(log.stat().st_size):
            with pytest.raises(DatabaseUnavailableError) as caught:
                await database.run(putting("refused"))
            assert caught.value.database == str(path)
            assert await database.read(values) == {"before": 0}
        await database.run(putting("after"))
        assert set(await database.read(values)) == {"before", "after"}

    async def look(database: Database) -> None:
        assert set(await database.read(values)) == {"before", "after"}

    place.play(story, look)


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """Make the kernel refuse writes past `size` bytes of any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
