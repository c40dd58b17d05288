"""What FIFO queues do beside what every queue does: order within groups, and deduplication."""

from __future__ import annotations

import pytest

from conveyor.core.queue import Depth, Outgoing, VisibilityChange
from conveyor.testing.conformance.queues.traffic import (
    bodies,
    outgoing,
    receive,
    receive_one,
    until_depth,
)
from conveyor.testing.conformance.queues.under_test import Deployment


class Groups:
    """Order within groups, and deduplication."""

    async def test_a_fifo_queue_does_not_delete_after_the_lease(
        self, deployment: Deployment
    ) -> None:
        queue = await deployment.queue(fifo=True)
        await queue.send([outgoing("a")])
        message = await receive_one(queue)
        await queue.set_visibility([VisibilityChange(message.receipt, 0)])
        left = await queue.delete([message.receipt])
        deleted = deployment.under_test.deletes_fifo_after_lease
        assert left == ([] if deleted else [message.receipt])
        await until_depth(queue, Depth(0, 0, 0) if deleted else Depth(1, 0, 0))

    @pytest.mark.parametrize(
        "never",
        [
            Outgoing("x", deduplication_id="x"),
            Outgoing("x", group="g"),
            Outgoing("x", group="g", deduplication_id="x", delay_seconds=1),
        ],
        ids=["no group", "no deduplication id", "delay"],
    )
    async def test_what_fifo_queues_never_take_is_given_back_and_the_rest_sent(
        self, deployment: Deployment, never: Outgoing
    ) -> None:
        queue = await deployment.queue(fifo=True)
        assert await queue.send([outgoing("a"), never, outgoing("b")]) == [1]
        assert bodies(await receive(queue, 2)) == ["a", "b"]

    async def test_groups_keep_their_order(self, deployment: Deployment) -> None:
        queue = await deployment.queue(fifo=True)
        groups = ["AMS-JFK", "LHR-NRT", "CDG-FRA"]
        await queue.send([outgoing(f"{i} {group}", group) for i in range(15) for group in groups])
        got: dict[str, list[str]] = {group: [] for group in groups}
        for _ in range(45):
            batch = await queue.receive(4, 2)
            for message in batch:
                got[message.group].append(message.body)
            await queue.delete([message.receipt for message in batch])
            if sum(map(len, got.values())) == 45:
                break
        assert got == {group: [f"{i} {group}" for i in range(15)] for group in groups}

    async def test_one_receive_gives_several_of_a_group_in_order(
        self, deployment: Deployment
    ) -> None:
        queue = await deployment.queue(fifo=True)
        await queue.send([outgoing(str(i)) for i in range(5)])
        assert bodies(await queue.receive(10, 2)) == ["0", "1", "2", "3", "4"]

    async def test_a_group_in_flight_holds_back_its_own_messages_only(
        self, deployment: Deployment
    ) -> None:
        queue = await deployment.queue(fifo=True)
        await queue.send([outgoing("a1", "a"), outgoing("a2", "a"), outgoing("b1", "b")])
        (first,) = await queue.receive(1, 2)
        assert first.body == "a1"
        assert bodies(await queue.receive(10, 2)) == ["b1"]
        await queue.send([outgoing("a3", "a"), outgoing("c1", "c")])
        assert bodies(await queue.receive(10, 2)) == ["c1"]
        await queue.delete([first.receipt])
        assert bodies(await receive(queue, 2)) == ["a2", "a3"]

    @pytest.mark.parametrize("given_back", [True, False], ids=["given back", "lease ended"])
    async def test_a_message_that_comes_again_is_still_the_first_of_its_group(
        self, deployment: Deployment, given_back: bool
    ) -> None:
        queue = await deployment.queue(fifo=True, visibility_seconds=1)
        await queue.send([outgoing("a1"), outgoing("a2")])
        (first,) = await queue.receive(1, 2)
        await queue.send([outgoing("a3")])
        if given_back:
            await queue.set_visibility([VisibilityChange(first.receipt, 0)])
        assert bodies(await receive(queue, 3)) == ["a1", "a2", "a3"]

    async def test_a_group_waits_for_all_of_its_messages_in_flight(
        self, deployment: Deployment
    ) -> None:
        queue = await deployment.queue(fifo=True)
        await queue.send([outgoing("a1"), outgoing("a2"), outgoing("a3")])
        first, second = await queue.receive(2, 2)
        await queue.delete([first.receipt])
        assert await queue.receive(10, 0) == []
        await queue.set_visibility([VisibilityChange(second.receipt, 0)])
        assert bodies(await receive(queue, 2)) == ["a2", "a3"]

    async def test_a_deduplication_id_is_taken_once(self, deployment: Deployment) -> None:
        queue = await deployment.queue(fifo=True)
        by_contents = deployment.under_test.deduplicates_by_contents_of_queue
        assert (
            await queue.send([outgoing("a", "g1"), outgoing("a", "g1"), outgoing("b", "g1")]) == []
        )
        assert await queue.send([outgoing("a", "g1")]) == []
        assert await queue.send([outgoing("a", "g2")]) == []  # another group's id is another id
        got = await receive(queue, 2 if by_contents else 3)
        assert bodies(got) == (["a", "b"] if by_contents else ["a", "b", "a"])
        await queue.delete([message.receipt for message in got])
        assert await queue.send([outgoing("a", "g1")]) == []  # deleted, and remembered all the same
        await until_depth(queue, Depth(1 if by_contents else 0, 0, 0))

    async def test_standard_queues_do_not_deduplicate(self, deployment: Deployment) -> None:
        queue = await deployment.queue()
        await queue.send([outgoing("a"), outgoing("a")])
        assert bodies(await receive(queue, 2)) == ["a", "a"]
