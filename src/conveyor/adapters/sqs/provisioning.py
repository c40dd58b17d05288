"""Creating queues, and putting right what differs: `conveyor queues provision`.

Nothing is taken for granted: what was set is read back, and what the service has not kept is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from conveyor.adapters.sqs.attributes import (
    FIXED_AT_CREATION,
    Difference,
    all_attributes,
    differences,
    plain_attributes,
)
from conveyor.adapters.sqs.batches import Calls
from conveyor.adapters.sqs.errors import QueueNotProvisionedError
from conveyor.adapters.sqs.queue import SqsQueue
from conveyor.core.errors import QueueUnavailableError

MADE, CHANGED, LEFT = "made", "changed", "left"
CREATION_ATTEMPTS = 5
CREATION_SECONDS = 1.0
"""SQS's own word: a queue may be used a second after it was created."""


@dataclass(frozen=True, slots=True)
class NotKept:
    """An attribute that was set, and that the queue service does not have."""

    attribute: str
    expected: str
    cause: str


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What became of one queue: made, changed or left; `name` is that of its spec."""

    name: str
    queue: str
    action: str
    changes: tuple[Difference, ...] = ()
    not_kept: tuple[NotKept, ...] = ()


class Provisioner:
    """Makes queues what their specs say; with `dry_run` it only tells what it would do."""

    def __init__(self, api: Calls, *, kms_key: str = "", dry_run: bool = False) -> None:
        """`kms_key`: a customer's key of KMS; without one, a key that is there stays."""
        self._api = api
        self._kms_key = kms_key
        self._dry_run = dry_run

    async def ensure(self, queue: SqsQueue, dead_letters: str) -> Provisioned:
        """Create a queue or put it right; `dead_letters` is the name of its other one on SQS."""
        actual = await attributes_of(self._api, queue)
        action = LEFT
        if actual is None:
            action = MADE
            if self._dry_run:
                return Provisioned(queue.spec.name, queue.name, MADE)
            actual = await self._create(queue)
        wanted = all_attributes(queue.spec, actual, dead_letters, self._kms_key)
        found = tuple(differences(wanted, actual))
        changes = tuple(it for it in found if it.attribute not in FIXED_AT_CREATION)
        failed: tuple[NotKept, ...] = ()
        if changes and not self._dry_run:
            failed = await self._set(queue, changes, wanted)
        fixed = tuple(
            NotKept(it.attribute, it.expected, FIXED) for it in found if it not in changes
        )
        lost = {it.attribute for it in failed}
        kept = tuple(it for it in changes if it.attribute not in lost)
        if kept and action == LEFT:
            action = CHANGED
        return Provisioned(queue.spec.name, queue.name, action, kept, (*failed, *fixed))

    async def _create(self, queue: SqsQueue) -> dict[str, str]:
        wanted = plain_attributes(queue.spec, self._kms_key)
        try:
            await self._call(queue, "create_queue", QueueName=queue.name, Attributes=wanted)
        except QueueUnavailableError:  # it may not know one of them: set one by one, it is told
            fixed = {name: value for name, value in wanted.items() if name in FIXED_AT_CREATION}
            await self._call(queue, "create_queue", QueueName=queue.name, Attributes=fixed)
        for _ in range(CREATION_ATTEMPTS):
            actual = await attributes_of(self._api, queue)
            if actual is not None:
                return actual
            await asyncio.sleep(CREATION_SECONDS)
        raise QueueNotProvisionedError(queue.name)

    async def _set(
        self, queue: SqsQueue, changes: tuple[Difference, ...], wanted: Mapping[str, str]
    ) -> tuple[NotKept, ...]:
        """Set them, together where that is taken; gives what the service has not kept."""
        refused: dict[str, str] = {}
        values = {it.attribute: it.expected for it in changes}
        try:
            await self._put(queue, values)
        except QueueUnavailableError:
            for name, value in values.items():
                try:
                    await self._put(queue, {name: value})
                except QueueUnavailableError as error:
                    refused[name] = error.cause
        actual = await attributes_of(self._api, queue) or {}
        return tuple(
            NotKept(it.attribute, it.expected, refused.get(it.attribute, DROPPED))
            for it in differences(wanted, actual)
            if it.attribute in values
        )

    async def _put(self, queue: SqsQueue, values: Mapping[str, str]) -> None:
        # SQS takes a customer's key only where its own encryption is off.
        own = {"SqsManagedSseEnabled": "false"} if "KmsMasterKeyId" in values else {}
        url = await queue.url()
        await self._call(queue, "set_queue_attributes", QueueUrl=url, Attributes={**values, **own})

    async def _call(self, queue: SqsQueue, operation: str, **parameters: object) -> None:
        await self._api.call(queue.name, operation, **parameters)


FIXED = "a queue keeps what it was created with: delete it, when it is empty, and provision again"
DROPPED = "the queue service took it, and does not show it (SQS itself may need a minute)"


async def attributes_of(api: Calls, queue: SqsQueue) -> dict[str, str] | None:
    """Give all attributes of a queue; None: there is no such queue.

    Raises QueueUnavailableError.
    """
    try:
        url = await queue.url()
        answer = await api.call(
            queue.name, "get_queue_attributes", QueueUrl=url, AttributeNames=["All"]
        )
    except QueueNotProvisionedError:
        return None
    actual: dict[str, str] = answer["Attributes"]
    return actual
