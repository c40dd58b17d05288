"""All queues of one deployment in one file, owned by one process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conveyor.adapters.embedded_queue.faults import QueueFaults
from conveyor.adapters.embedded_queue.queue import EmbeddedQueue, Requests
from conveyor.adapters.embedded_queue.store import MessageStore
from conveyor.adapters.faults import Breakable
from conveyor.core.ambient import Ambient
from conveyor.core.errors import UnknownQueueError
from conveyor.core.queue import QueueSpec


class FileClock:
    """The time in the file: one process owns it, so a clock that is set need not matter to it."""

    def __init__(self, ambient: Ambient) -> None:
        self._ambient = ambient
        self._offset_ms = ambient.now_ms() - ambient.elapsed_ms()

    def now_ms(self) -> int:
        """Give the time as it was at the start, carried on by what never steps."""
        return self._offset_ms + self._ambient.elapsed_ms()


class EmbeddedQueues(Breakable):
    """SQS's semantics on SQLite, inline on the event loop, through one connection.

    `path` is a file of its own: its commits are not synced (but for queues that are `durable`),
    since every other message can be sent again from the order it is about. No two processes share
    it; leases of a process that died end when the file is opened again.
    """

    def __init__(self, path: Path | str, specs: Sequence[QueueSpec], ambient: Ambient) -> None:
        """Nothing is opened yet; `specs` leaves the dead-letter queues out, they come along."""
        self._store = MessageStore(Path(path))
        self._ambient = Ambient(FileClock(ambient), ambient.random, ambient.elapsed)
        self._requests = Requests()
        self._faults = QueueFaults()
        self.faults = (self._faults.late, self._faults.doubled)
        self._queues: dict[str, EmbeddedQueue] = {}
        for spec in specs:
            self._add(spec)

    @property
    def requests(self) -> int:
        """Calls made to the queues so far."""
        return self._requests.count

    def queue(self, name: str) -> EmbeddedQueue:
        """Give the queue of this name. Raises UnknownQueueError."""
        if name not in self._queues:
            raise UnknownQueueError(name, tuple(self._queues))
        return self._queues[name]

    async def provision(self, specs: Sequence[QueueSpec]) -> list[str]:
        """Create what is missing, each with its dead-letter queue; gives the names created."""
        for spec in specs:
            self._add(spec)
        names = [name for spec in specs for name in (spec.name, spec.dead_letters().name)]
        return [name for name in names if self._store.create_queue(name)]

    async def open(self) -> None:
        """Take the file and create the queues in it. Raises DataDirectoryInUseError."""
        self._store.open(self._ambient.now_ms())
        for name, queue in self._queues.items():
            self._store.create_queue(name)
            if queue.spec.durable:
                queue.keep_all()

    async def close(self) -> None:
        """End long polls and let go of the file; harmless when it is closed already."""
        for queue in self._queues.values():
            queue.wake()
        self._store.close()

    def _add(self, spec: QueueSpec) -> None:
        if spec.name in self._queues and self._queues[spec.name].spec == spec:
            return  # long polls of a queue that stays as it is go on
        dead = EmbeddedQueue(spec.dead_letters(), self._store, self._ambient, self._requests)
        queue = EmbeddedQueue(
            spec, self._store, self._ambient, self._requests, dead_letters=dead, faults=self._faults
        )
        self._queues |= {spec.name: queue, dead.spec.name: dead}
