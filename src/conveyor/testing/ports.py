"""What a simulated process is handed in: its ways to database, queues, provider and carrier."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from conveyor.core.errors import (
    CommitUnknownError,
    DatabaseUnavailableError,
    QueueUnavailableError,
)
from conveyor.core.queue import (
    LONG_POLL_SECONDS,
    Depth,
    Outgoing,
    QueueSpec,
    Received,
    VisibilityChange,
)
from conveyor.core.transaction import Tx
from conveyor.testing.boxes import received
from conveyor.testing.loop import START_MS
from conveyor.testing.pace import LONGEST_OF_DAYS_SECONDS
from conveyor.testing.queues import RECEIVE_LIMIT

if TYPE_CHECKING:
    from conveyor.testing.process import Process
    from conveyor.testing.store import SqliteStore

T = TypeVar("T")

LONGER_POLLS = 15
"""An idle poll asks so many times more rarely than in life: nothing else comes of asking."""


class ProcessClock:
    """A process's wall clock: wrong by `offset_ms`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._loop = process.world.loop

    def now_ms(self) -> int:
        """See `Clock`."""
        return START_MS + round(self._loop.elapsed * 1000) + self._process.clock_ms


@dataclass(slots=True)
class DatabasePort:
    """See `Database`."""

    process: Process
    store: SqliteStore
    dialect: str = "sqlite"

    async def run(self, work: Callable[[Tx], T]) -> T:
        """Commit, unless the database is away, or the answer to COMMIT is lost."""
        return await self._pass(work, writes=True)

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Read, unless it is away."""
        return await self._pass(work, writes=False)

    async def examine(self, work: Callable[[Tx], T]) -> T:
        """Do as `read`."""
        return await self._pass(work, writes=False)

    async def close(self) -> None:
        """Nothing is held."""

    async def _pass(self, work: Callable[[Tx], T], *, writes: bool) -> T:
        world = self.process.world
        if writes:
            await asyncio.sleep(world.wire_seconds())
        trouble = world.troubles.of_database(self.process.number)
        if trouble == "away":
            raise DatabaseUnavailableError("the database", "it is away")
        before = self.store.changes
        result = self.store.run(work)
        if self.store.changes != before:
            world.committed()
        if writes:
            if trouble == "unknown":
                raise CommitUnknownError("the answer to COMMIT was lost")
            await asyncio.sleep(0.0)
        return result


class QueuePort:
    """See `Queue`."""

    receive_limit = RECEIVE_LIMIT

    def __init__(self, process: Process, name: str) -> None:
        self._process, self._name = process, name
        self._service = process.world.queues
        self.spec: QueueSpec = self._service.boxes[name].spec

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """See `Queue`."""
        return await self._do("send", lambda: self._send(messages))

    async def receive(self, limit: int, wait_seconds: float) -> list[Received]:
        """See `Queue`."""
        await self._do("receive", lambda: None)
        world, wait = self._process.world, wait_seconds
        if wait_seconds == LONG_POLL_SECONDS:  # whatever is sent, it hears of
            wait = LONGEST_OF_DAYS_SECONDS if world.own else wait_seconds * LONGER_POLLS
        found = await self._service.receive(self._name, self._process, limit, wait)
        if found:
            world.committed()
        now = self._process.ambient.now_ms()
        until = world.loop.elapsed
        return [received(m, m.visible_at - until, now) for m in found]

    async def delete(self, receipts: Sequence[str]) -> list[str]:
        """See `Queue`."""
        return await self._do("delete", lambda: self._service.delete(self._name, receipts))

    async def set_visibility(self, changes: Sequence[VisibilityChange]) -> list[str]:
        """See `Queue`."""
        return await self._do(
            "visibility", lambda: self._service.set_visibility(self._name, changes)
        )

    async def depth(self) -> Depth:
        """See `Queue`."""
        return await self._do("depth", lambda: self._service.depth(self._name))

    async def purge(self) -> None:
        """See `Queue`."""
        self._service.purge(self._name)

    def wake(self) -> None:
        """See `Queue`."""
        self._service.wake(self._name, self._process)

    def _send(self, messages: Sequence[Outgoing]) -> list[int]:
        self._service.send(self._name, messages)
        return []

    async def _do(self, request: str, work: Callable[[], T]) -> T:
        world = self._process.world
        await asyncio.sleep(0.0)
        trouble = world.troubles.of_queue(request, self._name)
        if trouble == "away":
            raise QueueUnavailableError(self._name, "it is away")
        result = work()
        if trouble == "unknown":
            raise QueueUnavailableError(self._name, "503, after it was done")
        return result


class QueuesPort:
    """See `Queues`."""

    requests = 0

    def __init__(self, process: Process) -> None:
        self._process = process
        self._ports: dict[str, QueuePort] = {}

    def queue(self, name: str) -> QueuePort:
        """See `Queues`."""
        if name not in self._ports:
            self._ports[name] = QueuePort(self._process, name)
        return self._ports[name]

    async def provision(self, specs: Sequence[QueueSpec]) -> list[str]:  # noqa: ARG002 - the port's
        """They are there."""
        return []

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""
