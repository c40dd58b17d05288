"""Creating queues, and putting right what differs: `conveyor queues provision`.

Attributes: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from conveyor.adapters.sqs.batches import Calls
from conveyor.adapters.sqs.errors import QueueNotProvisionedError
from conveyor.adapters.sqs.queue import SqsQueue
from conveyor.messaging.queue import QueueSpec

# High throughput: limits and deduplication count for each message group, not for the whole queue.
FIFO_ATTRIBUTES = {
    "FifoQueue": "true",
    "DeduplicationScope": "messageGroup",
    "FifoThroughputLimit": "perMessageGroupId",
}
FIXED_AT_CREATION = {"FifoQueue"}


async def provision(api: Calls, queue: SqsQueue, dead_letters: SqsQueue) -> list[str]:
    """Make both queues what their specs say; gives the names (of the specs) of those created."""
    created = await _ensure(api, dead_letters, attributes(dead_letters.spec))
    wanted = attributes(queue.spec)
    if queue.spec.max_receives:
        arn = (await _attributes_of(api, dead_letters))["QueueArn"]
        redrive = {"deadLetterTargetArn": arn, "maxReceiveCount": str(queue.spec.max_receives)}
        wanted["RedrivePolicy"] = json.dumps(redrive)
    return created + await _ensure(api, queue, wanted)


def attributes(spec: QueueSpec) -> dict[str, str]:
    """Give the attributes of a queue, but for its redrive policy."""
    wanted = {
        "VisibilityTimeout": str(spec.visibility_seconds),
        "MessageRetentionPeriod": str(spec.retention_seconds),
        "SqsManagedSseEnabled": "true",
    }
    return wanted | (FIFO_ATTRIBUTES if spec.fifo else {})


async def _ensure(api: Calls, queue: SqsQueue, wanted: Mapping[str, str]) -> list[str]:
    try:
        url = await queue.url()
    except QueueNotProvisionedError:
        await api.call(queue.name, "create_queue", QueueName=queue.name, Attributes=wanted)
        return [queue.spec.name]
    actual = await _attributes_of(api, queue)
    differing = {
        name: value
        for name, value in wanted.items()
        if name not in FIXED_AT_CREATION and _differs(value, actual.get(name))
    }
    if differing:
        await api.call(queue.name, "set_queue_attributes", QueueUrl=url, Attributes=differing)
    return []


async def _attributes_of(api: Calls, queue: SqsQueue) -> dict[str, str]:
    answer = await api.call(
        queue.name, "get_queue_attributes", QueueUrl=await queue.url(), AttributeNames=["All"]
    )
    actual: dict[str, str] = answer["Attributes"]
    return actual


def _differs(wanted: str, actual: str | None) -> bool:
    if actual is None or not wanted.startswith("{"):
        return wanted != actual
    return _plain(wanted) != _plain(actual)


def _plain(policy: str) -> dict[str, str]:
    """Read a policy, in which servers give numbers as numbers or as text."""
    return {name: str(value) for name, value in json.loads(policy).items()}
