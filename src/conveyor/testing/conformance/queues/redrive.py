"""Provisioning, and the redrive policy that it gives to every queue."""

from __future__ import annotations

import time

import pytest

from conveyor.core.errors import UnknownQueueError
from conveyor.core.queue import DEAD_LETTER_SUFFIX, Depth, QueueSpec, VisibilityChange
from conveyor.testing.conformance.queues.traffic import (
    EACH_KIND,
    PATIENCE_SECONDS,
    bodies,
    outgoing,
    receive,
    receive_one,
    until_depth,
)
from conveyor.testing.conformance.queues.under_test import Deployment, fresh_name


class Redrive:
    """What provisioning makes, and the redrive policy that it gives."""

    @EACH_KIND
    async def test_a_message_received_too_often_goes_to_the_dead_letter_queue(
        self, deployment: Deployment, fifo: bool
    ) -> None:
        queue = await deployment.queue(fifo=fifo, max_receives=2)
        dead_letters = deployment.queues.queue(queue.spec.name + DEAD_LETTER_SUFFIX)
        await queue.send([outgoing("a", "g1", {"kind": "poison"})])
        first = await receive_one(queue)
        await queue.set_visibility([VisibilityChange(first.receipt, 0)])
        message = await receive_one(queue)
        await queue.set_visibility([VisibilityChange(message.receipt, 0)])
        assert (first.receive_count, message.receive_count) == (1, 2)
        await queue.send([outgoing("b", "g1")])
        assert (await receive_one(queue)).body == "b"
        dead = await receive_one(dead_letters)
        assert (dead.body, dead.message_id, dead.group) == ("a", message.message_id, message.group)
        assert (dead.sent_at_ms, dead.receive_count) == (message.sent_at_ms, 3)
        causes = {"cause": f"received 2 times from {queue.spec.name} and never deleted"}
        expected = causes if deployment.under_test.tells_cause else {}
        assert dict(dead.attributes) == {"kind": "poison"} | expected
        await queue.delete([message.receipt])  # too late: it is in another queue now
        await until_depth(queue, Depth(0, 1, 0))
        await until_depth(dead_letters, Depth(0, 1, 0))

    async def test_a_dead_letter_queue_keeps_what_is_received_often(
        self, deployment: Deployment
    ) -> None:
        queue = await deployment.queue(max_receives=1)
        dead_letters = deployment.queues.queue(queue.spec.name + DEAD_LETTER_SUFFIX)
        await dead_letters.send([outgoing("poison", attributes={"cause": "not JSON"})])
        for _ in range(3):
            message = await receive_one(dead_letters)
            await dead_letters.set_visibility([VisibilityChange(message.receipt, 0)])
        assert (await receive_one(dead_letters)).receive_count == 4

    async def test_a_queue_without_a_maximum_keeps_what_is_received_often(
        self,
        deployment: Deployment,
    ) -> None:
        queue = await deployment.queue(max_receives=0)
        await queue.send([outgoing("a")])
        for receive_count in (1, 2, 3):
            message = await receive_one(queue)
            assert message.receive_count == receive_count
            await queue.set_visibility([VisibilityChange(message.receipt, 0)])

    async def test_provisioning_creates_what_is_missing_and_no_more(
        self, deployment: Deployment
    ) -> None:
        first, second = QueueSpec(fresh_name()), QueueSpec(fresh_name(), fifo=True)
        created = await deployment.queues.provision([first])
        assert sorted(created) == [first.name, f"{first.name}-dead"]
        created = await deployment.queues.provision([first, second])
        assert sorted(created) == [second.name, f"{second.name}-dead"]
        assert await deployment.queues.provision([first, second]) == []
        for name in (first.name, f"{first.name}-dead", second.name, f"{second.name}-dead"):
            queue = deployment.queues.queue(name)
            assert await queue.send([outgoing(name)]) == []
            assert bodies(await receive(queue, 1)) == [name]

    async def test_provisioning_again_changes_what_differs(self, deployment: Deployment) -> None:
        queue = await deployment.queue(visibility_seconds=600, max_receives=5)
        name = queue.spec.name
        await deployment.queues.provision([QueueSpec(name, visibility_seconds=1, max_receives=1)])
        queue = deployment.queues.queue(name)
        dead_letters = deployment.queues.queue(name + DEAD_LETTER_SUFFIX)
        await queue.send([outgoing("a")])
        await receive_one(queue)
        give_up = time.monotonic() + PATIENCE_SECONDS
        while (await dead_letters.depth()).total == 0 and time.monotonic() < give_up:
            assert await queue.receive(10, 1) == []
        assert (await receive_one(dead_letters)).body == "a"

    async def test_a_queue_that_was_never_named_is_unknown(self, deployment: Deployment) -> None:
        queue = await deployment.queue()
        with pytest.raises(UnknownQueueError) as raised:
            deployment.queues.queue("paymentz")
        assert raised.value.queue == "paymentz"
        assert queue.spec.name in raised.value.known
