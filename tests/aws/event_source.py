"""An event source mapping, by AWS's documented rules: it polls a queue and calls a function.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from tests.aws.runtime import Function, FunctionError

POLL_SECONDS = 1
MOST_A_RECEIVE = 10
LOOK_SECONDS = 0.2


class EventSource:
    """Polls one queue, with as many threads as there may be invocations, until it is left."""

    def __init__(
        self,
        sqs: Any,
        name: str,
        function: Function,
        *,
        batch_size: int = 10,
        window_seconds: float = 0,
        maximum_concurrency: int = 1,
    ) -> None:
        """`window_seconds` is how long a batch that is not full waits for more.

        `maximum_concurrency` is how many invocations there may be at a time: each is of an instance
        of its own, which is started when no other is idle.
        """
        self.sqs = sqs
        self.url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        self.arn = arn_of(name)
        self.function = function
        self.batch_size = batch_size
        self.window_seconds = window_seconds
        self.errors: list[str] = []
        self.handed = threading.Event()
        """A batch has been handed over."""
        self.failed: list[str] = []
        """Ids of messages that came back."""
        self.bodies: dict[str, Any] = {}
        """What was handed over, by the id of its message."""
        self.most_at_once = 0
        """How many invocations there were at a time, at most."""
        self._at_once = 0
        self._counting = threading.Lock()
        self._idle = [function]
        self._further = ExitStack()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._poll, daemon=True) for _ in range(maximum_concurrency)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Poll no more; what was handed over is answered before."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._further.close()

    def wait(self) -> None:
        """Let some time pass."""
        self._stop.wait(LOOK_SECONDS)

    def _poll(self) -> None:
        while not self._stop.is_set():
            if messages := self._batch():
                self.hand_over(messages)

    def _batch(self) -> list[Any]:
        messages = receive(self.sqs, self.url, min(self.batch_size, MOST_A_RECEIVE))
        until = time.monotonic() + self.window_seconds
        while messages and len(messages) < self.batch_size and time.monotonic() < until:
            room = min(self.batch_size - len(messages), MOST_A_RECEIVE)
            messages += receive(self.sqs, self.url, room)
        return messages

    def hand_over(self, messages: list[Any]) -> None:
        """Call the function with a batch, and delete what it does not name as failed."""
        self.bodies |= {it["MessageId"]: it["Body"] for it in messages}
        try:
            with self._instance() as function:
                answer = function.invoke(event_of(self.arn, messages))
        except FunctionError as error:
            self.errors.append(str(error))  # all of the batch is visible again after its time-out
            return
        finally:
            self.handed.set()
        failed = failures(answer, {it["MessageId"] for it in messages})
        self.failed += [it["MessageId"] for it in messages if it["MessageId"] in failed]
        entries = [
            {"Id": str(number), "ReceiptHandle": it["ReceiptHandle"]}
            for number, it in enumerate(messages)
            if it["MessageId"] not in failed
        ]
        if entries:  # what somebody else has deleted since is told as failed, and is nothing to us
            self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)

    @contextmanager
    def _instance(self) -> Iterator[Function]:
        """Give an instance that does nothing else meanwhile."""
        with self._counting:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            if not self._idle:
                self._idle.append(self._further.enter_context(self.function.another()))
            function = self._idle.pop()
        try:
            yield function
        finally:
            with self._counting:
                self._at_once -= 1
                self._idle.append(function)


def arn_of(name: str) -> str:
    """Name a queue as events do."""
    return f"arn:aws:sqs:eu-west-1:000000000000:{name}"


def receive(sqs: Any, url: str, most: int, seconds: int = POLL_SECONDS) -> list[Any]:
    """Take up to so many messages."""
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=most,
        WaitTimeSeconds=seconds,
        AttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return list(answer.get("Messages", []))


def event_of(arn: str, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the event that a function is called with."""
    return {"Records": [_record(arn, message) for message in messages]}


def _record(arn: str, message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": "eu-west-1",
    }


def failures(answer: Any, batch: set[str]) -> set[str]:
    """Give what failed of a batch: all of it where an identifier is empty or unknown."""
    named = [] if not answer else answer.get("batchItemFailures") or []
    identifiers = [it.get("itemIdentifier") for it in named]
    if any(not it or it not in batch for it in identifiers):
        return batch
    return set(identifiers)
