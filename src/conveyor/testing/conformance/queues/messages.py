"""What every queue takes: sizes, numbers, delays, attributes; and what it gives back."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from conveyor.core.queue import (
    MAX_DELAY_SECONDS,
    MAX_MESSAGE_BYTES,
    Depth,
    Outgoing,
    Received,
    VisibilityChange,
)
from conveyor.testing.conformance.queues.traffic import (
    EACH_KIND,
    bodies,
    outgoing,
    receive,
    receive_one,
    until_depth,
)
from conveyor.testing.conformance.queues.under_test import Deployment

KIB = 1024


class Messages:
    """Sizes, numbers, delays and attributes."""

    async def test_of_two_attributes_of_one_name_the_last_counts(
        self, deployment: Deployment
    ) -> None:
        queue = await deployment.queue()
        await queue.send([Outgoing("a", attributes=(("cause", "first"), ("cause", "last")))])
        assert (await receive_one(queue)).attributes == (("cause", "last"),)

    @EACH_KIND
    @pytest.mark.parametrize("count", [13, 101])
    async def test_any_number_of_messages_goes_into_a_call(
        self, deployment: Deployment, fifo: bool, count: int
    ) -> None:
        queue = await deployment.queue(fifo=fifo)
        sent = [outgoing(f"message {i}", f"g{i % 20}") for i in range(count)]
        assert await queue.send(sent) == []
        await until_depth(queue, Depth(count, 0, 0))
        got: list[Received] = []
        while len(got) < count:  # FIFO groups go on once their first messages are deleted
            batch = await queue.receive(count, 2)
            assert batch
            assert (
                await queue.set_visibility([VisibilityChange(m.receipt, 60) for m in batch]) == []
            )
            assert await queue.delete([message.receipt for message in batch]) == []
            got += batch
        assert sorted(bodies(got)) == sorted(message.body for message in sent)
        await until_depth(queue, Depth(0, 0, 0))

    async def test_one_receive_gives_no_more_than_asked_for(self, deployment: Deployment) -> None:
        queue = await deployment.queue()
        await queue.send([outgoing(f"message {i}") for i in range(20)])
        assert 1 <= len(await queue.receive(3, 2)) <= 3
        assert len(await queue.receive(1000, 2)) <= queue.receive_limit

    async def test_submissions_at_the_same_time_all_arrive(self, deployment: Deployment) -> None:
        queue = await deployment.queue()
        await asyncio.gather(*(queue.send([outgoing(f"message {i}")]) for i in range(60)))
        got = await receive(queue, 60)
        assert Counter(bodies(got)) == Counter(f"message {i}" for i in range(60))
        receipts = [message.receipt for message in got]
        refused = await asyncio.gather(*(queue.delete([receipt]) for receipt in receipts))
        assert not any(refused)
        await until_depth(queue, Depth(0, 0, 0))

    # A request of a whole mebibyte: aiohttp would rather be given a file.
    @pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
    @EACH_KIND
    async def test_the_largest_message_is_taken_and_a_larger_one_given_back(
        self, deployment: Deployment, fifo: bool
    ) -> None:
        queue = await deployment.queue(fifo=fifo)
        largest = deployment.under_test.largest_body
        sent = [
            outgoing("first", "g1"),
            outgoing("x" * (largest + 1), "g2"),
            outgoing("y" * largest, "g3"),
            outgoing("ä" * (MAX_MESSAGE_BYTES // 2 + 1), "g4"),  # it is bytes that count
            outgoing("last", "g5"),
        ]
        assert await queue.send(sent) == [1, 3]
        got = await receive(queue, 3)
        assert sorted(bodies(got)) == ["first", "last", "y" * largest]

    async def test_a_batch_over_the_size_of_a_request_is_cut(self, deployment: Deployment) -> None:
        queue = await deployment.queue()
        sent = [outgoing(str(i) * (250 * KIB)) for i in range(9)]
        assert await queue.send(sent) == []
        await until_depth(queue, Depth(9, 0, 0))

    @pytest.mark.parametrize(
        "never",
        [
            Outgoing(""),
            Outgoing("\x00"),
            Outgoing("a", delay_seconds=MAX_DELAY_SECONDS + 1),
            Outgoing("a", attributes=(("cause", ""),)),
            Outgoing("a", attributes=(("no name", "x"),)),
            Outgoing("a", attributes=tuple((f"n{i}", "x") for i in range(11))),
        ],
        ids=[
            "empty",
            "control character",
            "delay",
            "empty attribute",
            "attribute name",
            "attributes",
        ],
    )
    async def test_what_sqs_never_takes_is_given_back_and_the_rest_sent(
        self, deployment: Deployment, never: Outgoing
    ) -> None:
        queue = await deployment.queue()
        assert await queue.send([outgoing("a"), never, outgoing("b")]) == [1]
        assert sorted(bodies(await receive(queue, 2))) == ["a", "b"]

    async def test_a_delayed_message_comes_later(self, deployment: Deployment) -> None:
        queue = await deployment.queue()
        await queue.send([Outgoing("late", delay_seconds=2), Outgoing("now")])
        assert bodies(await queue.receive(10, 0)) == ["now"]
        assert bodies(await receive(queue, 1)) == ["late"]
