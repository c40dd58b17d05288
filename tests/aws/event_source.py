"""An event source mapping, by AWS's documented rules: it polls a queue and calls a function.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Self

from tests.aws.runtime import Function, FunctionError

POLL_SECONDS = 1
MOST_A_RECEIVE = 10


class EventSource:
    """Polls one queue, in a thread of its own, until it is left."""

    def __init__(self, sqs: Any, name: str, function: Function, batch_size: int = 10) -> None:
        self.sqs = sqs
        self.url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:eu-west-1:000000000000:{name}"
        self.function = function
        self.batch_size = batch_size
        self.errors: list[str] = []
        self.handed = threading.Event()
        """A batch has been handed over."""
        self.failed: list[str] = []
        """Ids of messages that came back."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._stop.is_set():
            messages = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=min(self.batch_size, MOST_A_RECEIVE),
                WaitTimeSeconds=POLL_SECONDS,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if messages:
                self.hand_over(messages)

    def hand_over(self, messages: list[Any]) -> None:
        """Call the function with a batch, and delete what it does not name as failed."""
        try:
            answer = self.function.invoke({"Records": [self._record(it) for it in messages]})
        except FunctionError as error:
            self.errors.append(str(error))  # all of the batch is visible again after its time-out
            return
        finally:
            self.handed.set()
        failed = failures(answer, {it["MessageId"] for it in messages})
        for message in messages:
            if message["MessageId"] in failed:
                self.failed.append(message["MessageId"])
            else:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def _record(self, message: Mapping[str, Any]) -> dict[str, Any]:
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
            "eventSourceARN": self.arn,
            "awsRegion": "eu-west-1",
        }


def failures(answer: Any, batch: set[str]) -> set[str]:
    """Give what failed of a batch: all of it where an identifier is empty or unknown."""
    named = [] if not answer else answer.get("batchItemFailures") or []
    identifiers = [it.get("itemIdentifier") for it in named]
    if any(not it or it not in batch for it in identifiers):
        return batch
    return set(identifiers)
