"""What every queue does, whether it is embedded or on a server that speaks SQS's protocol."""

from __future__ import annotations

import asyncio
import time

from conveyor.core.queue import (
    LONG_POLL_SECONDS,
    MAX_VISIBILITY_SECONDS,
    Depth,
    Outgoing,
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


class Leases:
    """What is sent arrives, is leased to one, and goes when it is deleted."""

    @EACH_KIND
    async def test_a_message_arrives_as_it_was_sent(
        self, deployment: Deployment, fifo: bool
    ) -> None:
        queue = await deployment.queue(fifo=fifo)
        before = time.time_ns() // 1_000_000
        attributes = {"cause": "not JSON: ä €", "attempt": "2"}
        assert await queue.send([outgoing("{'naïve': '☃ \U0001f600'}", "g1", attributes)]) == []
        message = await receive_one(queue)
        after = time.time_ns() // 1_000_000
        assert message.body == "{'naïve': '☃ \U0001f600'}"
        assert dict(message.attributes) == attributes
        assert message.group == ("g1" if fifo else "")
        assert message.receive_count == 1
        assert before <= message.sent_at_ms <= after
        assert before <= message.visible_at_ms - 30_000 <= after
        assert message.message_id
        assert message.receipt

    @EACH_KIND
    async def test_an_empty_queue_gives_nothing(self, deployment: Deployment, fifo: bool) -> None:
        queue = await deployment.queue(fifo=fifo)
        assert await queue.receive(10, 0) == []
        assert await queue.receive(10, 1) == []
        assert await queue.send([]) == []
        assert await queue.delete([]) == []
        assert await queue.set_visibility([]) == []

    @EACH_KIND
    async def test_a_leased_message_is_given_to_nobody_else(
        self, deployment: Deployment, fifo: bool
    ) -> None:
        queue = await deployment.queue(fifo=fifo)
        await queue.send([outgoing("a")])
        await receive_one(queue)
        assert await queue.receive(10, 0) == []
        await until_depth(queue, Depth(visible=0, in_flight=1, delayed=0))

    @EACH_KIND
    async def test_a_message_comes_again_when_its_lease_ends(
        self, deployment: Deployment, fifo: bool
    ) -> None:
        queue = await deployment.queue(fifo=fifo, visibility_seconds=1)
        await queue.send([outgoing("a")])
        first = await receive_one(queue)
        second = await receive_one(queue)
        assert second.message_id == first.message_id
        assert second.sent_at_ms == first.sent_at_ms
        assert second.receipt != first.receipt
        assert (first.receive_count, second.receive_count) == (1, 2)

    @EACH_KIND
    async def test_visibility_0_gives_a_message_back_at_once(
        self, deployment: Deployment, fifo: bool
    ) -> None:
        queue = await deployment.queue(fifo=fifo, visibility_seconds=600)
        await queue.send([outgoing("a")])
        first = await receive_one(queue)
        assert await queue.set_visibility([VisibilityChange(first.receipt, 0)]) == []
        assert (await receive_one(queue)).receive_count == 2

    @EACH_KIND
    async def test_a_lease_can_be_extended(self, deployment: Deployment, fifo: bool) -> None:
        queue = await deployment.queue(fifo=fifo, visibility_seconds=1)
        await queue.send([outgoing("a")])
        message = await receive_one(queue)
        assert await queue.set_visibility([VisibilityChange(message.receipt, 60)]) == []
        assert await queue.receive(10, 2) == []
        assert await queue.delete([message.receipt]) == []
        await until_depth(queue, Depth(0, 0, 0))

    async def test_a_visibility_outside_sqs_limits_is_given_back(
        self, deployment: Deployment
    ) -> None:
        queue = await deployment.queue()
        await queue.send([outgoing("a"), outgoing("b")])
        first, second = await receive(queue, 2)
        changes = [
            VisibilityChange(first.receipt, MAX_VISIBILITY_SECONDS + 1),
            VisibilityChange(second.receipt, 0),
        ]
        assert await queue.set_visibility(changes) == [first.receipt]
        assert (await receive_one(queue)).message_id == second.message_id

    async def test_visibility_of_an_ended_lease_is_given_back(self, deployment: Deployment) -> None:
        queue = await deployment.queue()
        await queue.send([outgoing("a")])
        message = await receive_one(queue)
        await queue.set_visibility([VisibilityChange(message.receipt, 0)])
        lost = await queue.set_visibility([VisibilityChange(message.receipt, 30)])
        obeyed = deployment.under_test.obeys_ended_leases
        assert lost == ([] if obeyed else [message.receipt])
        await until_depth(queue, Depth(0, 1, 0) if obeyed else Depth(1, 0, 0))

    @EACH_KIND
    async def test_what_is_deleted_never_comes_again(
        self, deployment: Deployment, fifo: bool
    ) -> None:
        queue = await deployment.queue(fifo=fifo)
        await queue.send([outgoing("a")])
        message = await receive_one(queue)
        assert await queue.delete([message.receipt]) == []
        again = await queue.delete([message.receipt])
        assert again == ([message.receipt] if deployment.under_test.refuses_second_delete else [])
        await until_depth(queue, Depth(0, 0, 0))

    async def test_a_stale_receipt_does_not_delete(self, deployment: Deployment) -> None:
        queue = await deployment.queue(visibility_seconds=1)
        await queue.send([outgoing("a")])
        stale = await receive_one(queue)
        await receive_one(queue)
        await queue.delete([stale.receipt])  # may be accepted silently
        left = 0 if deployment.under_test.obeys_stale_receipts else 1
        assert (await queue.depth()).total == left

    async def test_a_standard_queue_deletes_after_the_lease_too(
        self, deployment: Deployment
    ) -> None:
        queue = await deployment.queue()
        await queue.send([outgoing("a")])
        message = await receive_one(queue)
        await queue.set_visibility([VisibilityChange(message.receipt, 0)])
        assert await queue.delete([message.receipt]) == []
        await until_depth(queue, Depth(0, 0, 0))

    async def test_nonsense_for_a_receipt_is_given_back(self, deployment: Deployment) -> None:
        queue = await deployment.queue()
        await queue.send([outgoing("a")])
        message = await receive_one(queue)
        assert await queue.delete(["nonsense", message.receipt]) == ["nonsense"]
        assert await queue.set_visibility([VisibilityChange("nonsense", 0)]) == ["nonsense"]
        await until_depth(queue, Depth(0, 0, 0))

    async def test_depth_tells_visible_in_flight_and_delayed_apart(
        self, deployment: Deployment
    ) -> None:
        queue = await deployment.queue()
        await queue.send([outgoing("a"), outgoing("b"), outgoing("c")])
        await queue.receive(1, 2)
        await until_depth(queue, Depth(visible=2, in_flight=1, delayed=0))
        await queue.send([Outgoing("d", delay_seconds=600)])
        assert (await queue.depth()).total == 4

    @EACH_KIND
    async def test_purge_empties_a_queue(self, deployment: Deployment, fifo: bool) -> None:
        queue, other = await deployment.queue(fifo=fifo), await deployment.queue(fifo=fifo)
        await queue.send([outgoing("a", "g1"), outgoing("b", "g2")])
        await other.send([outgoing("c")])
        await queue.receive(1, 2)
        await queue.purge()
        await until_depth(queue, Depth(0, 0, 0))
        await until_depth(other, Depth(1, 0, 0))
        assert await queue.receive(10, 0) == []

    @EACH_KIND
    async def test_a_long_poll_ends_when_a_message_is_sent(
        self, deployment: Deployment, fifo: bool
    ) -> None:
        queue = await deployment.queue(fifo=fifo)
        await queue.send([outgoing("before", "g1")])
        await queue.receive(1, 2)
        poll = asyncio.create_task(queue.receive(10, LONG_POLL_SECONDS))
        await asyncio.sleep(0)
        await queue.send([outgoing("a", "g2")])
        async with asyncio.timeout(LONG_POLL_SECONDS / 2):
            assert bodies(await poll) == ["a"]

    async def test_a_long_poll_ends_when_asked_where_that_is_possible(
        self, deployment: Deployment
    ) -> None:
        queue = await deployment.queue()
        poll = asyncio.create_task(queue.receive(10, LONG_POLL_SECONDS))
        await asyncio.sleep(0)
        queue.wake()
        if not deployment.under_test.wakes:
            await queue.send([outgoing("a")])
        async with asyncio.timeout(LONG_POLL_SECONDS / 2):
            assert bodies(await poll) == ([] if deployment.under_test.wakes else ["a"])

    async def test_requests_are_counted(self, deployment: Deployment) -> None:
        queue = await deployment.queue()
        await queue.depth()
        before = deployment.queues.requests
        await queue.send([outgoing("a")])
        (message,) = await queue.receive(1, 2)
        await queue.delete([message.receipt])
        assert deployment.queues.requests == before + 3
