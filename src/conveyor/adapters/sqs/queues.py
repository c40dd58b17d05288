"""All queues of one deployment on SQS."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from conveyor.adapters.sqs.address import SqsAddress
from conveyor.adapters.sqs.asking import Answer
from conveyor.adapters.sqs.errors import AwsExtraMissingError
from conveyor.adapters.sqs.provisioning import MADE, Provisioned, Provisioner
from conveyor.adapters.sqs.queue import SqsQueue, SqsTuning
from conveyor.core.ambient import Ambient
from conveyor.core.errors import QueuesNotOpenError, UnknownQueueError
from conveyor.core.queue import QueueSpec
from conveyor.core.untyped import Foreign

if TYPE_CHECKING:
    from conveyor.adapters.sqs.api import SqsApi

DEFAULT_TUNING = SqsTuning()


class SqsQueues:
    """The queues at an address; `specs` leaves the dead-letter queues out, they come along."""

    def __init__(
        self,
        address: SqsAddress,
        specs: Sequence[QueueSpec],
        ambient: Ambient,
        tuning: SqsTuning = DEFAULT_TUNING,
    ) -> None:
        """Nothing is connected yet."""
        self._address = address
        self._ambient = ambient
        self._tuning = tuning
        self._api: SqsApi | None = None
        self._queues: dict[str, SqsQueue] = {}
        for spec in specs:
            self._add(spec)

    @property
    def requests(self) -> int:
        """HTTP requests sent so far, the SDK's retries among them."""
        return self._api.requests if self._api else 0

    def queue(self, name: str) -> SqsQueue:
        """Give the queue of this name. Raises UnknownQueueError."""
        if name not in self._queues:
            raise UnknownQueueError(name, tuple(self._queues))
        return self._queues[name]

    async def provision(self, specs: Sequence[QueueSpec]) -> list[str]:
        """Create what is missing and set what differs; gives the names created."""
        done = await self.provision_with(Provisioner(self), specs)
        return [it.name for it in done if it.action == MADE]

    async def provision_with(
        self, provisioner: Provisioner, specs: Sequence[QueueSpec]
    ) -> list[Provisioned]:
        """Let this provisioner see to each queue, and before it to its dead-letter queue."""
        done: list[Provisioned] = []
        for spec in specs:
            self._add(spec)
            queue, dead_letters = self._queues[spec.name], self._queues[spec.dead_letters().name]
            done += [
                await provisioner.ensure(it, dead_letters.name) for it in (dead_letters, queue)
            ]
        return done

    async def open(self) -> None:
        """Make the client; SQS itself is not asked. Raises AwsExtraMissingError."""
        if find_spec("aiobotocore") is None:
            raise AwsExtraMissingError
        from conveyor.adapters.sqs.api import SqsApi

        self._api = SqsApi(self._address, self._tuning.connections, self._ambient)
        await self._api.open()

    async def close(self) -> None:
        """Send off what was handed in, then close the connections; harmless a second time."""
        if self._api is not None:
            for queue in self._queues.values():
                await queue.flush()
            await self._api.close()

    async def call(self, queue: str, operation: str, **parameters: Foreign) -> dict[str, Foreign]:
        """Call an operation of SQS. Raises QueuesNotOpenError, and what `SqsApi.call` raises."""
        if self._api is None:
            raise QueuesNotOpenError
        return await self._api.call(queue, operation, **parameters)

    async def ask(self, queue: str, operation: str, **parameters: Foreign) -> Answer:
        """Call an operation once and give what was said. Raises as `SqsApi.ask` does."""
        if self._api is None:
            raise QueuesNotOpenError
        return await self._api.ask(queue, operation, **parameters)

    def _add(self, spec: QueueSpec) -> None:
        for it in (spec, spec.dead_letters()):
            known = self._queues.get(it.name)
            if known is None or known.spec != it:
                name = self._address.queue_name(it)
                self._queues[it.name] = SqsQueue(it, name, self, self._ambient, self._tuning)
