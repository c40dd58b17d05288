"""One queue on SQS. Single messages of many callers share requests: each is paid for and slow."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from conveyor.adapters.sqs.batches import MAX_BATCH_ENTRIES, BatchCall, Calls, Entry, next_batch
from conveyor.adapters.sqs.wake_up import LongPolls, is_wake_up
from conveyor.core.ambient import Ambient
from conveyor.core.batching import Batcher
from conveyor.core.queue import (
    LONG_POLL_SECONDS,
    MAX_VISIBILITY_SECONDS,
    Depth,
    Outgoing,
    QueueSpec,
    Received,
    VisibilityChange,
)
from conveyor.core.queue_limits import ATTRIBUTE_TYPE, refused
from conveyor.core.untyped import Foreign

MS = 1000
FIFO_SEND_MESSAGES = 1000  # looked at together, so that groups keep their order and batches fill up
SYSTEM_ATTRIBUTES = ["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"]
DEPTH_ATTRIBUTES = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SqsTuning:
    """How requests are shared and how many there are at once.

    `lanes` bounds the batches of a kind (sends, deletes, changes of visibility) that one queue has
    under way; `linger_seconds` is how long a batch that is not full waits for company;
    `connections` bounds the requests of all queues together, the long polls among them.
    """

    lanes: int = 4
    linger_seconds: float = 0.01
    connections: int = 100


class SqsQueue:
    """A queue on SQS; see `conveyor.core.queue.Queue` for what the methods give."""

    receive_limit = MAX_BATCH_ENTRIES

    def __init__(
        self, spec: QueueSpec, name: str, api: Calls, ambient: Ambient, tuning: SqsTuning
    ) -> None:
        """`name` is the queue's on SQS, with prefix and ending."""
        self.spec = spec
        self.name = name
        self._api = api
        self._ambient = ambient
        self._tuning = tuning
        self._url: str | None = None
        self._looking_up = asyncio.Lock()
        self._sends: Batcher[Outgoing, bool] = (
            self._batcher(self._send, FIFO_SEND_MESSAGES, lanes=1)
            if spec.fifo
            else self._batcher(self._send)
        )
        self._deletes = self._batcher(self._runner("delete_message_batch"))
        self._changes = self._batcher(self._runner("change_message_visibility_batch"))
        self._polls = LongPolls(ambient, self.send)

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Send in full batches, on FIFO queues one after another and each group in its order.

        What SQS would never take is logged and not sent. When some batches got no answer their
        messages count as not accepted: they may be there all the same, and sent again be doubled.
        """
        never = set(refused(self.spec, messages))
        indexes = [index for index in range(len(messages)) if index not in never]
        accepted = await _answers([self._sends.submit(messages[index]) for index in indexes])
        lost = {index for index, ok in zip(indexes, accepted, strict=True) if not ok}
        return sorted(never | lost)

    async def receive(self, limit: int, wait_seconds: float) -> list[Received]:
        """Receive; the lease is counted from before the call, so that it is never overrated."""
        visible_at_ms = self._ambient.now_ms() + self.spec.visibility_seconds * MS
        with self._polls if wait_seconds else nullcontext():
            answer = await self._call(
                "receive_message",
                MaxNumberOfMessages=min(limit, MAX_BATCH_ENTRIES),
                WaitTimeSeconds=min(math.ceil(wait_seconds), LONG_POLL_SECONDS),
                MessageSystemAttributeNames=SYSTEM_ATTRIBUTES,
                MessageAttributeNames=["All"],
            )
        return await self._without_wake_ups(
            [_received(message, visible_at_ms) for message in answer.get("Messages", ())]
        )

    async def _without_wake_ups(self, messages: list[Received]) -> list[Received]:
        wake_ups = [message.receipt for message in messages if is_wake_up(message)]
        if wake_ups:
            with suppress(Exception):  # then they come again, to whoever polls by then
                await self.delete(wake_ups)
            if len(wake_ups) == len(messages):
                await self._polls.stand_aside()
        return [message for message in messages if message.receipt not in wake_ups]

    async def delete(self, receipts: Sequence[str]) -> list[str]:
        """Delete; SQS accepts an older receipt silently, and then the message may stay."""
        deleted = await _answers(
            [self._deletes.submit({"ReceiptHandle": receipt}) for receipt in receipts]
        )
        return [receipt for receipt, ok in zip(receipts, deleted, strict=True) if not ok]

    async def set_visibility(self, changes: Sequence[VisibilityChange]) -> list[str]:
        """Change leases; a time that SQS does not take counts as not changed."""
        possible = [it for it in changes if 0 <= it.seconds <= MAX_VISIBILITY_SECONDS]
        changed = await _answers(
            [
                self._changes.submit(
                    {"ReceiptHandle": change.receipt, "VisibilityTimeout": change.seconds}
                )
                for change in possible
            ]
        )
        done = {it.receipt for it, ok in zip(possible, changed, strict=True) if ok}
        return [change.receipt for change in changes if change.receipt not in done]

    async def depth(self) -> Depth:
        """Count the messages; SQS's figures lag by up to a minute."""
        answer = await self._call("get_queue_attributes", AttributeNames=DEPTH_ATTRIBUTES)
        visible, in_flight, delayed = (
            int(answer["Attributes"].get(name, 0)) for name in DEPTH_ATTRIBUTES
        )
        return Depth(visible, in_flight, delayed)

    async def purge(self) -> None:
        """Delete every message; SQS takes up to a minute, and refuses a second purge meanwhile."""
        await self._call("purge_queue")

    def wake(self) -> None:
        """Let long polls of this process that are under way return soon, see `wake_up`."""
        self._polls.end()

    async def flush(self) -> None:
        """Wait until all that was handed in has been answered."""
        await self._polls.ended()
        for batcher in (self._sends, self._deletes, self._changes):
            await batcher.join()

    async def url(self) -> str:
        """Give the queue's URL, looked up once. Raises QueueNotProvisionedError."""
        async with self._looking_up:
            if self._url is None:
                answer = await self._api.call(self.name, "get_queue_url", QueueName=self.name)
                self._url = answer["QueueUrl"]
        return self._url

    async def _call(self, operation: str, **parameters: Foreign) -> dict[str, Foreign]:
        return await self._api.call(self.name, operation, QueueUrl=await self.url(), **parameters)

    def _batcher(
        self,
        handle: Callable[[list[T]], Awaitable[list[bool]]],
        max_size: int = MAX_BATCH_ENTRIES,
        lanes: int | None = None,
    ) -> Batcher[T, bool]:
        return Batcher(
            handle,
            max_size,
            lanes=lanes or self._tuning.lanes,
            linger_seconds=self._tuning.linger_seconds,
            full_lanes=True,
        )

    def _runner(self, operation: str) -> Callable[[list[Entry]], Awaitable[list[bool]]]:
        call = BatchCall(self._api, self.name, operation, self._ambient)

        async def run(entries: list[Entry]) -> list[bool]:
            return await call.run(await self.url(), entries)

        return run

    async def _send(self, messages: Sequence[Outgoing]) -> list[bool]:
        """Give for each message whether it was accepted."""
        run = self._runner("send_message_batch")
        accepted = [False] * len(messages)
        waiting = list(range(len(messages)))
        while waiting:
            batch, waiting = next_batch(waiting, messages, one_a_group=self.spec.fifo)
            answers = await run([self._entry(messages[index]) for index in batch])
            for index, ok in zip(batch, answers, strict=True):
                accepted[index] = ok
            if self.spec.fifo:  # what follows a lost message must not overtake its next attempt
                lost = {messages[index].group for index in batch if not accepted[index]}
                waiting = [index for index in waiting if messages[index].group not in lost]
        return accepted

    def _entry(self, message: Outgoing) -> Entry:
        entry: dict[str, Any] = {"MessageBody": message.body}
        if message.delay_seconds:
            entry["DelaySeconds"] = message.delay_seconds
        if message.attributes:
            entry["MessageAttributes"] = {
                name: {"DataType": ATTRIBUTE_TYPE, "StringValue": value}
                for name, value in message.attributes
            }
        if self.spec.fifo:
            entry["MessageGroupId"] = message.group
            entry["MessageDeduplicationId"] = message.deduplication_id
        return entry


async def _answers(futures: Sequence[asyncio.Future[bool]]) -> list[bool]:
    """Give each answer, False for none; raises when there was not a single one."""
    results = await asyncio.gather(*futures, return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    if failures and len(failures) == len(results):
        raise failures[0]
    return [result is True for result in results]


def _received(message: dict[str, Any], visible_at_ms: int) -> Received:
    system = message["Attributes"]
    return Received(
        message["Body"],
        message["ReceiptHandle"],
        message["MessageId"],
        int(system["ApproximateReceiveCount"]),
        int(system["SentTimestamp"]),
        visible_at_ms,
        system.get("MessageGroupId", ""),
        tuple(
            (name, value["StringValue"])
            for name, value in message.get("MessageAttributes", {}).items()
            if "StringValue" in value
        ),
    )
