"""A machine on virtual time: processes as `conveyor up` is one, on files; each can die."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from conveyor.adapters.embedded_queue import EmbeddedQueues
from conveyor.adapters.private_files import make_private_file
from conveyor.adapters.sqlite.database import SqliteDatabase
from conveyor.core.ambient import Ambient
from conveyor.core.tracing import Tracer
from conveyor.extension import Port
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.installation import Installation, installation
from conveyor.system.parts import Parts
from conveyor.system.tables import create_all, tables_of
from conveyor.system.timekeeper import machine_timekeeper
from conveyor.testing.crashing import (
    QUEUE_CALLS,
    Boundaries,
    CrashingCalls,
    CrashingDatabase,
    CrashingLoop,
)
from conveyor.testing.each_queue import PATIENT_SECONDS, EachQueue, PatientQueue
from conveyor.testing.loop import START_MS, LoopClock, ProcessLoop, bury
from conveyor.testing.pace import Pace, paced
from conveyor.testing.simulated import open_books, with_books

T = TypeVar("T")
IDLE_SECONDS = 120
DATABASE = "conveyor.db"
_MADE: dict[tuple[sa.MetaData, ...], bytes] = {}
"""Files of databases that have these tables, and nothing in them."""


class BrokenInvariantError(AssertionError):
    """An invariant does not hold."""


async def until_idle(app: App) -> None:
    """Wait until whatever is still under way has come in, also what a dead process had in hand."""
    queues = [app.parts.queues.queue(name) for name in app.engine.registry.queues]
    for _ in range(IDLE_SECONDS):
        await asyncio.sleep(1)
        depths = [await queue.depth() for queue in queues]
        if not any(depth.visible + depth.in_flight + depth.delayed for depth in depths):
            return
    raise BrokenInvariantError("messages are left in the queues")


def _with_tables(installed: Installation) -> bytes:
    declared = tuple(tables_of(installed))
    if declared not in _MADE:
        with TemporaryDirectory(prefix="conveyor-tables-") as name:
            path = Path(name, DATABASE)
            asyncio.run(_create(SqliteDatabase(path, inline=True), installed))
            _MADE[declared] = path.read_bytes()
    return _MADE[declared]


async def _create(database: SqliteDatabase, installed: Installation) -> None:
    await create_all(database, installed)
    await database.close()


class Machine:
    """One data directory, and the processes that come and go on it.

    `settings` are those of the system but for its directory, `installed` is what it runs, and
    `ports` are whom it calls instead of those that would be opened: each may die with every call.
    `tracer` takes what each process tells of its orders.
    Once it is `paced`, loops that find nothing to do rest longer and longer: weeks pass in no time.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, Any] | None = None,
        installed: Installation | None = None,
        ports: Mapping[Port[Any], object] | None = None,
    ) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.settings = Settings(data=directory, **dict(settings or {}))
        self.installed = installed or installation(self.settings)
        self.elapsed = 0.0
        self.ports = dict(ports or {})
        self.app: App
        self.wrap_queues: Callable[[Any], Any] = lambda queues: queues
        self.tracer: Tracer | None = None
        self.paced = False
        self.seed = 0
        self._has_tables = False
        self.outside_files: list[CrashingDatabase] = []

    def run(
        self, life: Callable[[App], Coroutine[Any, Any, T]], boundaries: Boundaries | None = None
    ) -> T:
        """Live one process: start it, run `life` in it and stop it cleanly. Raises `Crash`."""
        boundaries = boundaries or Boundaries()
        loop = CrashingLoop(boundaries, self.elapsed)
        parts = self._parts(loop, boundaries)
        asyncio.set_event_loop(loop)
        try:
            with self._paced(loop, parts):
                return loop.run_until_complete(self._live(parts, life))
        finally:
            boundaries.dead = True
            self.elapsed = loop.elapsed
            self._bury(loop, parts)

    @contextmanager
    def _paced(self, loop: ProcessLoop, parts: Parts) -> Iterator[None]:
        if not self.paced:
            yield
            return
        database = cast("CrashingDatabase", parts.database)

        def next_due() -> float | None:
            due = database.next_due_ms() if self._has_tables else None
            return None if due is None else (due - START_MS) / 1000 - loop.time()

        pace = Pace(loop, next_due, PATIENT_SECONDS)
        database.committed = pace.happened
        with paced(pace):
            yield

    def _parts(self, loop: ProcessLoop, boundaries: Boundaries) -> Parts:
        self.seed += 1
        keeper = machine_timekeeper(LoopClock(loop).now_ms, loop.time)
        ambient = Ambient(keeper.clock, random.Random(self.seed), loop.time)
        self._begin_with_tables(self.directory / DATABASE)
        database = CrashingDatabase(self.directory / DATABASE, boundaries)
        self.outside_files = []

        def books(file: str) -> CrashingDatabase:
            opened = CrashingDatabase(self.directory / file, boundaries)
            self.outside_files.append(opened)
            return opened

        queues: Any = EmbeddedQueues(self.directory / "queue.db", self.installed.queues, ambient)
        if self.paced:
            queues = EachQueue(queues, PatientQueue)
        queues = EachQueue(queues, lambda queue: CrashingCalls(queue, boundaries, QUEUE_CALLS))
        return Parts(
            ambient,
            database,
            self.wrap_queues(queues),
            keeper,
            with_books(self.installed, self.settings, ambient, books) | self._theirs(boundaries),
            tracer=self.tracer,
        )

    def _begin_with_tables(self, path: Path) -> None:
        """Give the first process what `create_all` would, in a tenth of the time."""
        if not self._has_tables and not self.installed.added and not path.exists():
            make_private_file(path)
            path.write_bytes(_with_tables(self.installed))
            self._has_tables = True

    def _theirs(self, boundaries: Boundaries) -> dict[Port[Any], Any]:
        return {port: CrashingCalls(it, boundaries) for port, it in self.ports.items()}

    async def _live(self, parts: Parts, life: Callable[[App], Coroutine[Any, Any, T]]) -> T:
        self.app = app = App(self.settings, parts, self.installed)
        if not self._has_tables:
            await create_all(app.parts.database, self.installed)
            self._has_tables = True
        await open_books(parts)
        await app.open()
        stop = asyncio.Event()
        running = asyncio.ensure_future(app.run(self.installed.services, stop))
        try:
            return await life(app)
        finally:
            stop.set()
            await running

    def _bury(self, loop: ProcessLoop, parts: Parts) -> None:
        """What the kernel does at a process's end: files are closed, nothing else happens."""
        bury(loop)
        parts.queues._store.close()  # type: ignore[attr-defined]
        for database in (parts.database, *self.outside_files):
            database.abandon()  # type: ignore[attr-defined]
        asyncio.set_event_loop(None)
        loop.close()
        gc.collect(0)
