"""Whoever archives dies at every point: no order is lost, none is in two places, and it goes on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Coroutine, Iterable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.flows.test_storm_and_loss import place_all, until_settled
from tests.servers.memory import directory_in_memory

from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.operations.archive import Archiver, Shelf, Wanted
from conveyor.operations.archive.documents import Document
from conveyor.operations.audit import run_audit
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.installation import Installation, installation
from conveyor.testing.crashing import Boundaries, Crash
from conveyor.testing.virtual import Machine

T = TypeVar("T")
PAGE = 12
ORDERS = 20


class CrashingShelf(Shelf):
    """Can die at whatever it does to the directory, and within the writing of a file."""

    def __init__(self, directory: Path, boundaries: Boundaries) -> None:
        super().__init__(directory)
        self._boundaries = boundaries

    async def aside(self, work: Callable[..., Any], *given: object) -> Any:
        return work(*given)  # threads do not know virtual time

    def write_part(self, part: Path, lines: Iterable[bytes]) -> None:
        whole = [*lines]
        super().write_part(part, whole[: len(whole) // 2])
        self._boundaries.cross("after half of a file")
        super().write_part(part, whole)
        self._boundaries.cross("after a file is written")

    def publish(self, part: Path, path: Path) -> None:
        super().publish(part, path)
        self._boundaries.cross("after a file has its name")

    def remove(self, name: str) -> None:
        super().remove(name)
        self._boundaries.cross("after a file is removed")


def archiver(app: App, shelf: Shelf) -> Archiver:
    installed = app.installed
    parts = app.parts
    return Archiver(parts.database, parts.ambient, installed.flows, installed.extensions, shelf)


def archiving(
    directory: Path, boundaries: Boundaries | None = None
) -> Callable[[App], Coroutine[Any, Any, int]]:
    """Give the life of a process that archives all there is, page by page."""
    shelf = CrashingShelf(directory / "archive", boundaries or Boundaries())

    async def live(app: App) -> int:
        after: str | None = ""
        moved = 0
        while after is not None:
            wanted = Wanted(app.parts.ambient.now_ms(), after=after, most=PAGE)
            page = await archiver(app, shelf).page(wanted)
            moved, after = moved + page.archived, page.next
        return moved

    return live


@cache
def _installed() -> Installation:
    return installation(Settings())


def a_day_later(directory: Path) -> Machine:
    machine = Machine(directory, installed=_installed())
    machine.elapsed = 86_400.0
    return machine


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which all orders are at their end."""
    directory = tmp_path_factory.mktemp("settled")

    async def live(app: App) -> None:
        await place_all(app)
        await until_settled(app)

    Machine(directory, installed=_installed()).run(live)
    return directory


def at_rest(directory: Path, query: str) -> list[tuple[str, ...]]:
    """Look at the database of a directory where nothing runs."""
    with closing(sqlite3.connect(directory / "conveyor.db")) as db:
        return db.execute(query).fetchall()


IDS = "SELECT id FROM orders"
KNOWN = "SELECT order_id, file FROM archived_orders JOIN archive_pages USING (page)"


DRAFT = "orders-A-B-D.jsonl.gz"


def announce(directory: Path, *files: str) -> None:
    with closing(sqlite3.connect(directory / "conveyor.db")) as db, db:
        db.executemany("INSERT INTO archive_drafts VALUES (?)", [(it,) for it in files])


def in_files(directory: Path) -> list[tuple[str, ...]]:
    shelf = Shelf(directory / "archive")
    return [(it.order_id, name) for name in shelf.names() for it in shelf.read(name)]


def crash_at(settled: Path, point: int) -> None:
    with directory_in_memory() as parent:
        directory = parent / "data"
        shutil.copytree(settled, directory)
        before = at_rest(directory, IDS)
        boundaries = Boundaries(point)
        with pytest.raises(Crash):
            a_day_later(directory).run(archiving(directory, boundaries), boundaries)
        left, moved = at_rest(directory, IDS), at_rest(directory, KNOWN)
        assert {*left, *((it,) for it, _ in moved)} == {*before}
        assert len(left) + len(moved) == ORDERS, "an order is in one place"
        assert set(moved) <= set(in_files(directory)), "what is said to be in a file is there"

        count = a_day_later(directory).run(archiving(directory))
        assert count == len(left)
        assert at_rest(directory, IDS) == []
        files, moved = in_files(directory), at_rest(directory, KNOWN)
        assert sorted(files) == sorted(moved), "nothing is doubled, and nothing is left over"
        assert not list((directory / "archive").glob(".orders*"))
        report = a_day_later(directory).run(run_audit)
        assert report.clean, report.as_json()


def test_a_crash_at_any_point_loses_nothing_and_doubles_nothing(settled: Path) -> None:
    with directory_in_memory() as parent:
        directory = parent / "data"
        shutil.copytree(settled, directory)
        boundaries = Boundaries()
        machine = a_day_later(directory)
        assert machine.run(archiving(directory, boundaries), boundaries) == ORDERS
    points = [at for at, name in enumerate(boundaries.names, 1) if name.startswith("after ")]
    names = {boundaries.names[at - 1] for at in points}
    assert {"after half of a file", "after a file has its name", "after commit"} <= names
    for point in points:
        crash_at(settled, point)


def test_an_order_that_changes_meanwhile_is_written_anew(settled: Path, tmp_path: Path) -> None:
    directory = tmp_path / "data"
    shutil.copytree(settled, directory)
    written: list[str] = []

    class Meddling(CrashingShelf):
        """While the first file is written, somebody erases a customer."""

        async def aside(self, work: Callable[..., Any], *given: object) -> Any:
            done = work(*given)
            if work == self.put and len(written) < 2:
                documents: Any = given[1]
                written.append(documents[0].order_id)
                if len(written) == 1:
                    await self.app.parts.database.run(self.change)
            return done

        def change(self, tx: Tx) -> None:
            body = '{"currency":"USD","customer":{"id":"0"}}'
            change = orders.update().where(orders.c.id == written[0]).values(body=body)
            tx.connection.execute(change)

        app: App

    async def live(app: App) -> Document | None:
        shelf = Meddling(directory / "archive", Boundaries())
        shelf.app = app
        page = await archiver(app, shelf).page(Wanted(app.parts.ambient.now_ms(), most=2))
        assert (page.archived, shelf.names()) == (2, [page.file])
        assert page.file is not None
        return shelf.find(page.file, written[0])

    found = a_day_later(directory).run(live)
    assert written[0] == written[1]
    assert found is not None
    assert found.order.body["customer"] == {"id": "0"}


def test_a_file_of_orders_that_nobody_knows_stays(settled: Path, tmp_path: Path) -> None:
    """Such as the last copy of what a database has lost: nobody else's to take away."""
    directory = tmp_path / "data"
    shutil.copytree(settled, directory)
    shelf = Shelf(directory / "archive")
    with shelf.locked():
        foreign = Document("01AAAAAAAAAAAAAAAAAAAAAAAA", {})
        shelf.put("orders-A-B-C.jsonl.gz", [foreign])
        shelf.put(DRAFT, [Document(min(at_rest(directory, IDS))[0], {})])
        shutil.copy(shelf.directory / DRAFT, shelf.directory / "orders-A-B-E.jsonl.gz")
    (directory / "archive" / "orders-X-Y-Z.jsonl.gz").write_bytes(b"torn")
    announce(directory, DRAFT, "orders-A-B-C.jsonl.gz", "orders-X-Y-Z.jsonl.gz")
    a_day_later(directory).run(archiving(directory))
    names = shelf.names()
    assert "orders-A-B-C.jsonl.gz" in names
    assert "orders-A-B-E.jsonl.gz" in names  # another database's, for all that is known
    assert "orders-X-Y-Z.jsonl.gz" in names
    assert DRAFT not in names
