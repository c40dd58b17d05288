"""A process as `conveyor up` is one, with files of its own, on virtual time: it can be crashed."""

from __future__ import annotations

import asyncio
import gc
import inspect
import random
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from conveyor.adapters.embedded_queue import EmbeddedQueues
from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.adapters.sqlite.database import SqliteDatabase
from conveyor.core.ambient import Ambient
from conveyor.core.tables import outbox
from conveyor.core.transaction import Database
from conveyor.extension import PAYMENTS, Port
from conveyor.flows.shop.carrier import CARRIER
from conveyor.flows.shop.simulated.carrier import SimulatedCarrier
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.installation import Installation, installation
from conveyor.system.parts import Parts
from conveyor.system.tables import create_all
from conveyor.system.timekeeper import machine_timekeeper
from conveyor.testing.loop import START_MS, LoopClock, ProcessLoop, bury
from conveyor.testing.pace import Pace, paced

T = TypeVar("T")
IDLE_SECONDS = 120
PATIENT_SECONDS = 6 * 3_600.0
"""For how long loops rest at most that find nothing to do, in a machine that is paced."""


class BrokenInvariantError(AssertionError):
    """An invariant does not hold."""


class Crash(KeyboardInterrupt):
    """The process dies here. Asyncio lets a KeyboardInterrupt out of its loop at once."""


class Boundaries:
    """Keeps the name of every point at which a process can die, and dies at the chosen one."""

    def __init__(self, crash_at: int | None = None) -> None:
        self.crash_at = crash_at
        self.names: list[str] = []
        self.dead = False

    def cross(self, name: str) -> None:
        """Pass the boundary of this name, or die."""
        if self.dead:
            raise Crash
        self.names.append(name)
        if len(self.names) == self.crash_at:
            self.dead = True
            raise Crash


class CrashingLoop(ProcessLoop):
    """Can die whenever it has run what was to be run at once."""

    def __init__(self, boundaries: Boundaries, elapsed: float) -> None:
        super().__init__(elapsed)
        self._boundaries = boundaries

    def _run_once(self) -> None:
        self._boundaries.cross("round")
        super()._run_once()


_NEXT_DUE = sa.select(sa.func.min(outbox.c.due_at))
COMPILED: dict[Any, Any] = {}
"""Statements for all lives: to compile its own is half of the work of a short one."""


@cache
def _dialect() -> sa.Dialect:
    engine = sa.create_engine("sqlite://")
    with engine.connect():
        return engine.dialect  # it knows what it learns from a connection


class CrashingDatabase(SqliteDatabase):
    """Can die before and after each commit, which share a step of the loop with other work."""

    def __init__(self, path: Path, boundaries: Boundaries) -> None:
        super().__init__(path, inline=True)
        self.boundaries = boundaries
        self.committed: Callable[[], None] = lambda: None
        """Called once something was changed."""
        self._changes = 0
        for connection in (self._writer, self._reader):
            connection.dialect = connection.engine.dialect = _dialect()
            connection.execution_options(compiled_cache=COMPILED)

    async def _sync(self) -> None:
        self.boundaries.cross("before commit")
        await super()._sync()
        driver: Any = self._writer.connection.driver_connection
        changes = driver.total_changes
        if changes != self._changes:
            self._changes = changes
            self.committed()
        self.boundaries.cross("after commit")

    def next_due_ms(self) -> int | None:
        """Say when something is owed by itself; None: never."""
        due: int | None = self._read(lambda tx: tx.execute(_NEXT_DUE).scalar())
        return due


class CrashingCalls:
    """Any port: can die before and after each call of one of its methods."""

    def __init__(
        self, port: object, boundaries: Boundaries, methods: frozenset[str] | None = None
    ) -> None:
        """Wrap it; `methods` are those that matter, None: all that are awaited."""
        self._port, self._boundaries, self._methods = port, boundaries, methods

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        awaited = inspect.iscoroutinefunction(attribute)
        if not awaited if self._methods is None else name not in self._methods:
            return attribute

        async def crossing(*args: Any, **kwargs: Any) -> Any:
            self._boundaries.cross(f"before {name}")
            result = await attribute(*args, **kwargs)
            self._boundaries.cross(f"after {name}")
            return result

        return crossing


async def until_idle(app: App) -> None:
    """Wait until whatever is still under way has come in, also what a dead process had in hand."""
    queues = [app.parts.queues.queue(name) for name in app.engine.registry.queues]
    for _ in range(IDLE_SECONDS):
        await asyncio.sleep(1)
        depths = [await queue.depth() for queue in queues]
        if not any(depth.visible + depth.in_flight + depth.delayed for depth in depths):
            return
    raise BrokenInvariantError("messages are left in the queues")


def outside(
    settings: Settings, ambient: Ambient, books: Database, parcels: Database
) -> dict[Port[Any], Any]:
    """Give the simulated provider and carrier, on these books of theirs."""
    latency, after = settings.payment_latency_seconds, settings.delivery_delay_seconds
    return {
        PAYMENTS: SimulatedPaymentProvider(books, ambient, latency_seconds=latency),
        CARRIER: SimulatedCarrier(parcels, ambient, deliver_after_seconds=after),
    }


async def open_outside(parts: Parts) -> None:
    """Make the tables of those who are simulated, where they are missing."""
    for it in parts.ports.values():
        if isinstance(it, SimulatedPaymentProvider | SimulatedCarrier):
            await it.open()


QUEUE_CALLS = frozenset({"send", "receive", "delete", "set_visibility"})


class CrashingQueues:
    """Queues that can die before and after each call."""

    def __init__(self, queues: EmbeddedQueues, boundaries: Boundaries) -> None:
        self._queues, self._boundaries = queues, boundaries

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queues, name)

    def queue(self, name: str) -> Any:
        """Give a queue, each call of which is a boundary."""
        return CrashingCalls(self._queues.queue(name), self._boundaries, QUEUE_CALLS)


class PatientQueue:
    """Waits for messages for as long as idle loops rest: it hears of each that comes."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def receive(self, count: int, wait_seconds: float) -> Any:
        """Receive, and where that may wait, wait for long."""
        return await self._queue.receive(count, PATIENT_SECONDS if wait_seconds else 0)


class PatientQueues:
    """Queues that are patient."""

    def __init__(self, queues: Any) -> None:
        self._queues = queues

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queues, name)

    def queue(self, name: str) -> PatientQueue:
        """Give one of them."""
        return PatientQueue(self._queues.queue(name))


class Machine:
    """One data directory, and the processes that come and go on it.

    `settings` are those of the system but for its directory, `installed` is what it runs, and
    `ports` are whom it calls instead of those that would be opened: each may die with every call.
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
        database = CrashingDatabase(self.directory / "conveyor.db", boundaries)
        books = CrashingDatabase(self.directory / "provider.db", boundaries)
        parcels = CrashingDatabase(self.directory / "carrier.db", boundaries)
        self.outside_files = [books, parcels]
        queues: Any = EmbeddedQueues(self.directory / "queue.db", self.installed.queues, ambient)
        if self.paced:
            queues = PatientQueues(queues)
        wrapped: Any = CrashingQueues(queues, boundaries)
        return Parts(
            ambient,
            database,
            self.wrap_queues(wrapped),
            keeper,
            outside(self.settings, ambient, books, parcels) | self._theirs(boundaries),
        )

    def _theirs(self, boundaries: Boundaries) -> dict[Port[Any], Any]:
        return {port: CrashingCalls(it, boundaries) for port, it in self.ports.items()}

    async def _live(self, parts: Parts, life: Callable[[App], Coroutine[Any, Any, T]]) -> T:
        self.app = app = App(self.settings, parts, self.installed)
        if not self._has_tables:
            await create_all(app.parts.database, self.installed)
            self._has_tables = True
        await open_outside(parts)
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
