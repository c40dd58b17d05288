"""What SQS counts and from when: bytes of a batch, seconds of a lease."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conveyor.adapters.sqs import SqsTuning
from conveyor.adapters.sqs.batches import MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, next_batch
from conveyor.adapters.sqs.queue import SqsQueue
from conveyor.core.queue import (
    LONG_POLL_SECONDS,
    MAX_VISIBILITY_SECONDS,
    Outgoing,
    QueueSpec,
    VisibilityChange,
)
from conveyor.testing.loop import run_virtual, virtual_ambient

SPEC = QueueSpec("q")
POLLED_SECONDS = 19.0


def batches(messages: list[Outgoing], *, one_a_group: bool = False) -> list[list[int]]:
    """Give the batches into which messages are cut."""
    waiting, cut = list(range(len(messages))), []
    while waiting:
        batch, waiting = next_batch(waiting, messages, one_a_group=one_a_group)
        cut.append(batch)
    return cut


@pytest.mark.parametrize("letter", ["a", "\xe9", "\u20ac", "\U0001f600"])
def test_a_batch_is_measured_in_bytes(letter: str) -> None:
    third = letter * (MAX_BATCH_BYTES // 3 // len(letter.encode()))
    assert batches([Outgoing(third)] * 4) == [[0, 1, 2], [3]]


@pytest.mark.parametrize(("over", "cut"), [(0, [[0, 1]]), (1, [[0], [1]])])
def test_a_batch_is_as_large_as_it_may_be_and_no_larger(over: int, cut: list[list[int]]) -> None:
    half = "a" * (MAX_BATCH_BYTES // 2)
    assert batches([Outgoing(half), Outgoing(half + "a" * over)]) == cut


def test_attributes_are_part_of_a_batchs_size() -> None:
    half = "a" * (MAX_BATCH_BYTES // 2)
    with_cause = Outgoing(half, attributes=(("cause", "x"),))
    assert batches([Outgoing(half), with_cause]) == [[0], [1]]


def test_ten_go_into_a_batch() -> None:
    assert [len(batch) for batch in batches([Outgoing("a")] * 21)] == [MAX_BATCH_ENTRIES] * 2 + [1]


def test_a_group_shares_no_batch_and_keeps_its_order() -> None:
    messages = [Outgoing("x", group=group) for group in "aabab"]
    assert batches(messages, one_a_group=True) == [[0, 2], [1, 4], [3]]


def test_nothing_overtakes_what_did_not_fit_in_its_group() -> None:
    half = "a" * (MAX_BATCH_BYTES // 2)
    bodies = [("a", half), ("b", half + "b"), ("b", "small"), ("c", "small")]
    messages = [Outgoing(body, group=group) for group, body in bodies]
    assert batches(messages, one_a_group=True) == [[0, 3], [1], [2]]


class PolledSqs:
    """Has a message for a long poll, after a while."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    async def call(self, queue: str, operation: str, **parameters: Any) -> dict[str, Any]:
        if operation == "get_queue_url":
            return {"QueueUrl": f"http://sqs/{queue}"}
        self.asked = parameters
        await asyncio.sleep(POLLED_SECONDS)
        system = {"ApproximateReceiveCount": "3", "SentTimestamp": "5"}
        message = {"Body": "b", "ReceiptHandle": "r", "MessageId": "i", "Attributes": system}
        return {"Messages": [message]}


def test_a_lease_is_counted_from_before_the_long_poll() -> None:
    async def main() -> None:
        ambient, sqs = virtual_ambient(), PolledSqs()
        asked_at = ambient.now_ms()
        queue = SqsQueue(SPEC, "q", sqs, ambient, SqsTuning())
        [message] = await queue.receive(10, LONG_POLL_SECONDS)
        assert ambient.now_ms() >= asked_at + POLLED_SECONDS * 1000
        assert message.visible_at_ms == asked_at + SPEC.visibility_seconds * 1000
        assert (message.receive_count, message.sent_at_ms) == (3, 5)

    run_virtual(main())


@pytest.mark.parametrize(("seconds", "asked"), [(0, 0), (0.2, 1), (20, 20), (60, 20)])
def test_a_poll_waits_whole_seconds_and_no_longer_than_sqs_can(seconds: float, asked: int) -> None:
    async def main() -> None:
        sqs = PolledSqs()
        await SqsQueue(SPEC, "q", sqs, virtual_ambient(), SqsTuning()).receive(50, seconds)
        assert sqs.asked["WaitTimeSeconds"] == asked
        assert sqs.asked["MaxNumberOfMessages"] == MAX_BATCH_ENTRIES

    run_virtual(main())


class TakingSqs:
    """Takes every entry of a batch, and shows them."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    async def call(self, queue: str, operation: str, **parameters: Any) -> dict[str, Any]:
        if operation == "get_queue_url":
            return {"QueueUrl": f"http://sqs/{queue}"}
        self.entries += parameters["Entries"]
        return {"Successful": [{"Id": entry["Id"]} for entry in parameters["Entries"]]}


def test_a_message_is_sent_with_all_that_it_says() -> None:
    async def main() -> None:
        sqs = TakingSqs()
        said = Outgoing("b", delay_seconds=7, attributes=(("cause", "x"),))
        queue = SqsQueue(SPEC, "q", sqs, virtual_ambient(), SqsTuning())
        assert await queue.send([said, Outgoing("plain")]) == []
        attribute = {"cause": {"DataType": "String", "StringValue": "x"}}
        assert [{**entry, "Id": ""} for entry in sqs.entries] == [
            {"Id": "", "MessageBody": "b", "DelaySeconds": 7, "MessageAttributes": attribute},
            {"Id": "", "MessageBody": "plain"},
        ]

    run_virtual(main())


def test_a_message_is_given_back_at_once_and_never_beyond_what_sqs_takes() -> None:
    async def main() -> None:
        sqs = TakingSqs()
        queue = SqsQueue(SPEC, "q", sqs, virtual_ambient(), SqsTuning())
        seconds = (0, 1, MAX_VISIBILITY_SECONDS, MAX_VISIBILITY_SECONDS + 1, -1)
        changes = [VisibilityChange(str(one), one) for one in seconds]
        assert await queue.set_visibility(changes) == [str(one) for one in seconds[3:]]
        assert [entry["VisibilityTimeout"] for entry in sqs.entries] == list(seconds[:3])

    run_virtual(main())
