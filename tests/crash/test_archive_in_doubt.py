"""A commit of the archive's that is in doubt, and what a run that died has left of a customer."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from tests.crash.test_archive_enumeration import (
    KNOWN,
    ORDERS,
    CrashingShelf,
    a_day_later,
    archiver,
    archiving,
    at_rest,
    in_files,
    settled,
)

from conveyor.core.errors import DatabaseUnavailableError
from conveyor.core.transaction import Database, Tx
from conveyor.operations.archive import Shelf, Wanted
from conveyor.operations.audit import run_audit
from conveyor.operations.erasure import erase_customer
from conveyor.system.composition import App
from conveyor.testing.crashing import Boundaries, Crash
from conveyor.testing.virtual import Machine

__all__ = ["settled"]
T = TypeVar("T")


class FullDisk(CrashingShelf):
    """Has room for half of a file."""

    def write_part(self, part: Path, lines: Iterable[bytes]) -> None:
        whole = [*lines]
        Shelf.write_part(self, part, whole[: len(whole) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")


class Overtaken(CrashingShelf):
    """While its first file is written, another process archives the same page elsewhere."""

    def __init__(self, directory: Path, other: Callable[[], Awaitable[object]]) -> None:
        super().__init__(directory, Boundaries())
        self._other: Callable[[], Awaitable[object]] | None = other

    async def aside(self, work: Callable[..., Any], *given: object) -> Any:
        done = work(*given)
        if work == self.put and self._other is not None:
            other, self._other = self._other, None
            await other()
        return done


class FailingDisk:
    """A database whose disk fails at the end of a commit: what was written may be there after all.

    So it is with SQLite where the log's sync fails: its last frame may have come to the disk.
    """

    def __init__(self, database: Database, after: int) -> None:
        """So many commits are whole before that."""
        self._database = database
        self._after = after

    async def run(self, work: Callable[[Tx], T]) -> T:
        done = await self._database.run(work)
        self._after -= 1
        if self._after >= 0:
            return done
        raise DatabaseUnavailableError("conveyor.db", "disk I/O error")

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self._database.read(work)


def test_nothing_takes_the_room_of_a_disk_that_is_full(settled: Path, tmp_path: Path) -> None:
    directory = tmp_path / "data"
    shutil.copytree(settled, directory)

    async def live(app: App) -> None:
        doing = archiver(app, FullDisk(directory / "archive", Boundaries()))
        with pytest.raises(OSError, match="No space left"):
            await doing.page(Wanted(app.parts.ambient.now_ms(), most=3))

    a_day_later(directory).run(live)
    assert at_rest(directory, KNOWN) == []
    assert [it.name for it in (directory / "archive").iterdir()] == [".lock"]


def test_two_that_archive_into_directories_of_their_own_share_the_work(
    settled: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "data"
    shutil.copytree(settled, directory)

    async def live(app: App) -> tuple[int, int]:
        wanted = Wanted(app.parts.ambient.now_ms(), most=12)
        elsewhere = CrashingShelf(tmp_path / "elsewhere", Boundaries())
        mine = Overtaken(directory / "archive", lambda: archiver(app, elsewhere).page(wanted))
        return (await archiver(app, mine).page(wanted)).archived, len(elsewhere.names())

    assert a_day_later(directory).run(live) == (ORDERS - 12, 1)
    here, there = in_files(directory), Shelf(tmp_path / "elsewhere")
    assert len(here) == ORDERS - 12
    assert not {it for it, _ in here} & {it.order_id for it in there.read(there.names()[0])}
    assert a_day_later(directory).run(run_audit).clean


def test_a_file_stays_while_it_is_in_doubt_whether_its_orders_left(
    settled: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "data"
    shutil.copytree(settled, directory)

    async def live(app: App) -> None:
        doing = archiver(app, CrashingShelf(directory / "archive", Boundaries()))
        failing = replace(doing, database=cast("Database", FailingDisk(app.parts.database, 1)))
        with pytest.raises(DatabaseUnavailableError):
            await failing.page(Wanted(app.parts.ambient.now_ms(), most=3))

    a_day_later(directory).run(live)
    moved = at_rest(directory, KNOWN)
    assert len(moved) == 3
    assert sorted(in_files(directory)) == sorted(moved)


def test_a_copy_of_the_database_takes_no_file_of_the_original_away(
    settled: Path, tmp_path: Path
) -> None:
    original, copy, shelf = tmp_path / "original", tmp_path / "copy", Shelf(tmp_path / "shelf")
    for directory in (original, copy):
        shutil.copytree(settled, directory)

    def taking(before: Callable[[App], int]) -> Callable[[App], Coroutine[Any, Any, int]]:
        async def life(app: App) -> int:
            doing = archiver(app, CrashingShelf(shelf.directory, Boundaries()))
            return (await doing.page(Wanted(before(app)))).archived

        return life

    assert a_day_later(original).run(taking(lambda app: app.parts.ambient.now_ms())) == ORDERS
    (written,) = shelf.names()
    assert a_day_later(copy).run(taking(lambda _: 1)) == 0  # it has all these orders itself
    assert shelf.names() == [written]


def test_what_a_dead_run_has_left_of_a_customer_goes_when_they_are_erased(
    settled: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "data"
    shutil.copytree(settled, directory)
    boundaries = Boundaries()
    a_day_later(directory).run(archiving(directory, boundaries), boundaries)
    point = boundaries.names.index("after a file has its name") + 1
    shutil.rmtree(directory)
    shutil.copytree(settled, directory)
    boundaries = Boundaries(point)
    with pytest.raises(Crash):
        a_day_later(directory).run(archiving(directory, boundaries), boundaries)
    assert in_files(directory)

    machine = Machine(directory, {"archive": str(directory / "archive")})
    machine.elapsed = 2 * 86_400.0
    erasure = machine.run(lambda app: erase_customer(app, "default", "3"))
    assert (erasure.erased + erasure.before, erasure.kept) == (1, [])
    assert in_files(directory) == []
    assert machine.run(run_audit).clean
