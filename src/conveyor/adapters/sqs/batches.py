"""Batch calls: cut to SQS's size, and what fails inside of one is tried again by itself.

A batch call answers 200 with failures inside:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_BatchResultErrorEntry.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from conveyor.core.ambient import Ambient
from conveyor.core.queue import MAX_MESSAGE_BYTES, Outgoing
from conveyor.core.queue_limits import size_of
from conveyor.core.untyped import Foreign

MAX_BATCH_ENTRIES = 10
MAX_BATCH_BYTES = MAX_MESSAGE_BYTES  # of all entries together
ENTRY_ATTEMPTS = 4
BACK_OFF_SECONDS = 0.1  # before the second attempt, at most; doubled for each one after that
THROTTLED = "Throttl"  # is in the code of a failure that SQS calls the sender's fault, yet passes

Entry = Mapping[str, Any]
log = logging.getLogger(__name__)


class Calls(Protocol):
    """What `SqsApi` does."""

    async def call(self, queue: str, operation: str, **parameters: Foreign) -> dict[str, Foreign]:
        """Call an operation of SQS."""
        ...


def next_batch(
    waiting: Sequence[int], messages: Sequence[Outgoing], *, one_a_group: bool
) -> tuple[list[int], list[int]]:
    """Part what `waiting` points at into what goes into one request, and what is left for later.

    With `one_a_group` the messages of a group stay in order: none leaves before the one in front
    of it, and no two share a batch, where the first may fail and the second not.
    """
    taken: list[int] = []
    left: list[int] = []
    groups: set[str] = set()
    size = 0
    for place, index in enumerate(waiting):
        if len(taken) == MAX_BATCH_ENTRIES:
            return taken, [*left, *waiting[place:]]
        message = messages[index]
        fits = size + size_of(message) <= MAX_BATCH_BYTES
        if fits and not (one_a_group and message.group in groups):
            taken.append(index)
            size += size_of(message)
        else:
            left.append(index)
        groups.add(message.group)
    return taken, left


class BatchCall:
    """One batch operation on one queue."""

    def __init__(self, api: Calls, queue: str, operation: str, ambient: Ambient) -> None:
        self._api = api
        self._queue = queue
        self._operation = operation
        self._ambient = ambient

    async def run(self, url: str, entries: Sequence[Entry]) -> list[bool]:
        """Give for each entry (ten at most, without `Id`) whether SQS accepted it in the end."""
        accepted = [False] * len(entries)
        pending = list(range(len(entries)))
        for attempt in range(ENTRY_ATTEMPTS):
            if attempt:
                most = BACK_OFF_SECONDS * 2 ** (attempt - 1)
                await asyncio.sleep(self._ambient.random.uniform(most / 2, most))
            answer = await self._api.call(
                self._queue,
                self._operation,
                QueueUrl=url,
                Entries=[{"Id": str(index), **entries[index]} for index in pending],
            )
            for success in answer.get("Successful", ()):
                accepted[int(success["Id"])] = True
            pending = [int(it["Id"]) for it in answer.get("Failed", ()) if self._passes(it)]
            if not pending:
                break
        return accepted

    def _passes(self, failure: Mapping[str, Any]) -> bool:
        """Whether another attempt at this entry may succeed."""
        code = failure["Code"]
        log.warning("%s on %s: %s: %s", self._operation, self._queue, code, failure.get("Message"))
        return not failure["SenderFault"] or THROTTLED in code
