"""What every queue does, whether it is embedded or on a server that speaks SQS's protocol."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import pytest
from tests.conformance.queue_fixtures import Deployment, fresh_name

from conveyor.messaging.errors import UnknownQueueError
from conveyor.messaging.queue import (
    DEAD_LETTER_SUFFIX,
    LONG_POLL_SECONDS,
    MAX_DELAY_SECONDS,
    MAX_MESSAGE_BYTES,
    MAX_VISIBILITY_SECONDS,
    Depth,
    Outgoing,
    Queue,
    QueueSpec,
    Received,
    VisibilityChange,
)

pytestmark = pytest.mark.anyio

EACH_KIND = pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
PATIENCE_SECONDS = 15.0
KIB = 1024


def outgoing(body: str, group: str = "g", attributes: dict[str, str] | None = None) -> Outgoing:
    """A message for either kind of queue, told apart by its body."""
    pairs = tuple((attributes or {}).items())
    return Outgoing(body, group=group, deduplication_id=body[:40], attributes=pairs)


async def receive(queue: Queue, count: int) -> list[Received]:
    """Receive until there are `count` messages."""
    got: list[Received] = []
    give_up = time.monotonic() + PATIENCE_SECONDS
    while len(got) < count and time.monotonic() < give_up:
        got += await queue.receive(count - len(got), 2)
    assert len(got) == count
    return got


async def receive_one(queue: Queue) -> Received:
    return (await receive(queue, 1))[0]


async def until_depth(queue: Queue, depth: Depth) -> None:
    """Wait for the depth, which SQS only promises in the end."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while await queue.depth() != depth:
        assert time.monotonic() < give_up, await queue.depth()
        await asyncio.sleep(0.05)


def bodies(messages: Sequence[Received]) -> list[str]:
    return [message.body for message in messages]


@EACH_KIND
async def test_a_message_arrives_as_it_was_sent(deployment: Deployment, fifo: bool) -> None:
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


async def test_of_two_attributes_of_one_name_the_last_counts(deployment: Deployment) -> None:
    queue = await deployment.queue()
    await queue.send([Outgoing("a", attributes=(("cause", "first"), ("cause", "last")))])
    assert (await receive_one(queue)).attributes == (("cause", "last"),)


@EACH_KIND
async def test_an_empty_queue_gives_nothing(deployment: Deployment, fifo: bool) -> None:
    queue = await deployment.queue(fifo=fifo)
    assert await queue.receive(10, 0) == []
    assert await queue.receive(10, 1) == []
    assert await queue.send([]) == []
    assert await queue.delete([]) == []
    assert await queue.set_visibility([]) == []


@EACH_KIND
async def test_a_leased_message_is_given_to_nobody_else(deployment: Deployment, fifo: bool) -> None:
    queue = await deployment.queue(fifo=fifo)
    await queue.send([outgoing("a")])
    await receive_one(queue)
    assert await queue.receive(10, 0) == []
    await until_depth(queue, Depth(visible=0, in_flight=1, delayed=0))


@EACH_KIND
async def test_a_message_comes_again_when_its_lease_ends(
    deployment: Deployment, fifo: bool
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
    deployment: Deployment, fifo: bool
) -> None:
    queue = await deployment.queue(fifo=fifo, visibility_seconds=600)
    await queue.send([outgoing("a")])
    first = await receive_one(queue)
    assert await queue.set_visibility([VisibilityChange(first.receipt, 0)]) == []
    assert (await receive_one(queue)).receive_count == 2


@EACH_KIND
async def test_a_lease_can_be_extended(deployment: Deployment, fifo: bool) -> None:
    queue = await deployment.queue(fifo=fifo, visibility_seconds=1)
    await queue.send([outgoing("a")])
    message = await receive_one(queue)
    assert await queue.set_visibility([VisibilityChange(message.receipt, 60)]) == []
    assert await queue.receive(10, 2) == []
    assert await queue.delete([message.receipt]) == []
    await until_depth(queue, Depth(0, 0, 0))


async def test_a_visibility_outside_sqs_limits_is_given_back(deployment: Deployment) -> None:
    queue = await deployment.queue()
    await queue.send([outgoing("a"), outgoing("b")])
    first, second = await receive(queue, 2)
    changes = [
        VisibilityChange(first.receipt, MAX_VISIBILITY_SECONDS + 1),
        VisibilityChange(second.receipt, 0),
    ]
    assert await queue.set_visibility(changes) == [first.receipt]
    assert (await receive_one(queue)).message_id == second.message_id


async def test_visibility_of_an_ended_lease_is_given_back(deployment: Deployment) -> None:
    queue = await deployment.queue()
    await queue.send([outgoing("a")])
    message = await receive_one(queue)
    await queue.set_visibility([VisibilityChange(message.receipt, 0)])
    lost = await queue.set_visibility([VisibilityChange(message.receipt, 30)])
    obeyed = deployment.service.obeys_ended_leases
    assert lost == ([] if obeyed else [message.receipt])
    await until_depth(queue, Depth(0, 1, 0) if obeyed else Depth(1, 0, 0))


@EACH_KIND
async def test_what_is_deleted_never_comes_again(deployment: Deployment, fifo: bool) -> None:
    queue = await deployment.queue(fifo=fifo)
    await queue.send([outgoing("a")])
    message = await receive_one(queue)
    assert await queue.delete([message.receipt]) == []
    again = await queue.delete([message.receipt])
    assert again == ([message.receipt] if deployment.service.refuses_second_delete else [])
    await until_depth(queue, Depth(0, 0, 0))


async def test_a_stale_receipt_does_not_delete(deployment: Deployment) -> None:
    queue = await deployment.queue(visibility_seconds=1)
    await queue.send([outgoing("a")])
    stale = await receive_one(queue)
    await receive_one(queue)
    await queue.delete([stale.receipt])  # may be accepted silently
    left = 0 if deployment.service.obeys_stale_receipts else 1
    assert (await queue.depth()).total == left


async def test_a_standard_queue_deletes_after_the_lease_too(deployment: Deployment) -> None:
    queue = await deployment.queue()
    await queue.send([outgoing("a")])
    message = await receive_one(queue)
    await queue.set_visibility([VisibilityChange(message.receipt, 0)])
    assert await queue.delete([message.receipt]) == []
    await until_depth(queue, Depth(0, 0, 0))


async def test_a_fifo_queue_does_not_delete_after_the_lease(deployment: Deployment) -> None:
    queue = await deployment.queue(fifo=True)
    await queue.send([outgoing("a")])
    message = await receive_one(queue)
    await queue.set_visibility([VisibilityChange(message.receipt, 0)])
    left = await queue.delete([message.receipt])
    deleted = deployment.service.deletes_fifo_after_lease
    assert left == ([] if deleted else [message.receipt])
    await until_depth(queue, Depth(0, 0, 0) if deleted else Depth(1, 0, 0))


async def test_nonsense_for_a_receipt_is_given_back(deployment: Deployment) -> None:
    queue = await deployment.queue()
    await queue.send([outgoing("a")])
    message = await receive_one(queue)
    assert await queue.delete(["nonsense", message.receipt]) == ["nonsense"]
    assert await queue.set_visibility([VisibilityChange("nonsense", 0)]) == ["nonsense"]
    await until_depth(queue, Depth(0, 0, 0))


@EACH_KIND
@pytest.mark.parametrize("count", [13, 101])
async def test_any_number_of_messages_goes_into_a_call(
    deployment: Deployment, fifo: bool, count: int
) -> None:
    queue = await deployment.queue(fifo=fifo)
    sent = [outgoing(f"message {i}", f"g{i % 20}") for i in range(count)]
    assert await queue.send(sent) == []
    await until_depth(queue, Depth(count, 0, 0))
    got: list[Received] = []
    while len(got) < count:  # FIFO groups go on once their first messages are deleted
        batch = await queue.receive(count, 2)
        assert batch
        assert await queue.set_visibility([VisibilityChange(m.receipt, 60) for m in batch]) == []
        assert await queue.delete([message.receipt for message in batch]) == []
        got += batch
    assert sorted(bodies(got)) == sorted(message.body for message in sent)
    await until_depth(queue, Depth(0, 0, 0))


async def test_one_receive_gives_no_more_than_asked_for(deployment: Deployment) -> None:
    queue = await deployment.queue()
    await queue.send([outgoing(f"message {i}") for i in range(20)])
    assert 1 <= len(await queue.receive(3, 2)) <= 3
    assert len(await queue.receive(1000, 2)) <= queue.receive_limit


async def test_submissions_at_the_same_time_all_arrive(deployment: Deployment) -> None:
    queue = await deployment.queue()
    await asyncio.gather(*(queue.send([outgoing(f"message {i}")]) for i in range(60)))
    got = await receive(queue, 60)
    assert Counter(bodies(got)) == Counter(f"message {i}" for i in range(60))
    await asyncio.gather(*(queue.delete([message.receipt]) for message in got))
    await until_depth(queue, Depth(0, 0, 0))


# A request of a whole mebibyte: aiohttp would rather be given a file.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@EACH_KIND
async def test_the_largest_message_is_taken_and_a_larger_one_given_back(
    deployment: Deployment, fifo: bool
) -> None:
    queue = await deployment.queue(fifo=fifo)
    largest = deployment.service.largest_body
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


async def test_a_batch_over_the_size_of_a_request_is_cut(deployment: Deployment) -> None:
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
    ids=["empty", "control character", "delay", "empty attribute", "attribute name", "attributes"],
)
async def test_what_sqs_never_takes_is_given_back_and_the_rest_sent(
    deployment: Deployment, never: Outgoing
) -> None:
    queue = await deployment.queue()
    assert await queue.send([outgoing("a"), never, outgoing("b")]) == [1]
    assert sorted(bodies(await receive(queue, 2))) == ["a", "b"]


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
    deployment: Deployment, never: Outgoing
) -> None:
    queue = await deployment.queue(fifo=True)
    assert await queue.send([outgoing("a"), never, outgoing("b")]) == [1]
    assert bodies(await receive(queue, 2)) == ["a", "b"]


async def test_a_delayed_message_comes_later(deployment: Deployment) -> None:
    queue = await deployment.queue()
    await queue.send([Outgoing("late", delay_seconds=2), Outgoing("now")])
    assert bodies(await queue.receive(10, 0)) == ["now"]
    assert bodies(await receive(queue, 1)) == ["late"]


async def test_depth_tells_visible_in_flight_and_delayed_apart(deployment: Deployment) -> None:
    queue = await deployment.queue()
    await queue.send([outgoing("a"), outgoing("b"), outgoing("c")])
    await queue.receive(1, 2)
    await until_depth(queue, Depth(visible=2, in_flight=1, delayed=0))
    await queue.send([Outgoing("d", delay_seconds=600)])
    assert (await queue.depth()).total == 4


@EACH_KIND
async def test_purge_empties_a_queue(deployment: Deployment, fifo: bool) -> None:
    queue, other = await deployment.queue(fifo=fifo), await deployment.queue(fifo=fifo)
    await queue.send([outgoing("a", "g1"), outgoing("b", "g2")])
    await other.send([outgoing("c")])
    await queue.receive(1, 2)
    await queue.purge()
    await until_depth(queue, Depth(0, 0, 0))
    await until_depth(other, Depth(1, 0, 0))
    assert await queue.receive(10, 0) == []


@EACH_KIND
async def test_a_message_received_too_often_goes_to_the_dead_letter_queue(
    deployment: Deployment, fifo: bool
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
    expected = causes if deployment.service.tells_cause else {}
    assert dict(dead.attributes) == {"kind": "poison"} | expected
    await queue.delete([message.receipt])  # too late: it is in another queue now
    await until_depth(queue, Depth(0, 1, 0))
    await until_depth(dead_letters, Depth(0, 1, 0))


async def test_a_dead_letter_queue_keeps_what_is_received_often(deployment: Deployment) -> None:
    queue = await deployment.queue(max_receives=1)
    dead_letters = deployment.queues.queue(queue.spec.name + DEAD_LETTER_SUFFIX)
    await dead_letters.send([outgoing("poison", attributes={"cause": "not JSON"})])
    for _ in range(3):
        message = await receive_one(dead_letters)
        await dead_letters.set_visibility([VisibilityChange(message.receipt, 0)])
    assert (await receive_one(dead_letters)).receive_count == 4


async def test_a_queue_without_a_maximum_keeps_what_is_received_often(
    deployment: Deployment,
) -> None:
    queue = await deployment.queue(max_receives=0)
    await queue.send([outgoing("a")])
    for receive_count in (1, 2, 3):
        message = await receive_one(queue)
        assert message.receive_count == receive_count
        await queue.set_visibility([VisibilityChange(message.receipt, 0)])


async def test_groups_keep_their_order(deployment: Deployment) -> None:
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


async def test_one_receive_gives_several_of_a_group_in_order(deployment: Deployment) -> None:
    queue = await deployment.queue(fifo=True)
    await queue.send([outgoing(str(i)) for i in range(5)])
    assert bodies(await queue.receive(10, 2)) == ["0", "1", "2", "3", "4"]


async def test_a_group_in_flight_holds_back_its_own_messages_only(deployment: Deployment) -> None:
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
    deployment: Deployment, given_back: bool
) -> None:
    queue = await deployment.queue(fifo=True, visibility_seconds=1)
    await queue.send([outgoing("a1"), outgoing("a2")])
    (first,) = await queue.receive(1, 2)
    await queue.send([outgoing("a3")])
    if given_back:
        await queue.set_visibility([VisibilityChange(first.receipt, 0)])
    assert bodies(await receive(queue, 3)) == ["a1", "a2", "a3"]


async def test_a_group_waits_for_all_of_its_messages_in_flight(deployment: Deployment) -> None:
    queue = await deployment.queue(fifo=True)
    await queue.send([outgoing("a1"), outgoing("a2"), outgoing("a3")])
    first, second = await queue.receive(2, 2)
    await queue.delete([first.receipt])
    assert await queue.receive(10, 0) == []
    await queue.set_visibility([VisibilityChange(second.receipt, 0)])
    assert bodies(await receive(queue, 2)) == ["a2", "a3"]


async def test_a_deduplication_id_is_taken_once(deployment: Deployment) -> None:
    queue = await deployment.queue(fifo=True)
    by_contents = deployment.service.deduplicates_by_contents_of_queue
    assert await queue.send([outgoing("a", "g1"), outgoing("a", "g1"), outgoing("b", "g1")]) == []
    assert await queue.send([outgoing("a", "g1")]) == []
    assert await queue.send([outgoing("a", "g2")]) == []  # another group's id is another id
    got = await receive(queue, 2 if by_contents else 3)
    assert bodies(got) == (["a", "b"] if by_contents else ["a", "b", "a"])
    await queue.delete([message.receipt for message in got])
    assert await queue.send([outgoing("a", "g1")]) == []  # deleted, and remembered all the same
    await until_depth(queue, Depth(1 if by_contents else 0, 0, 0))


async def test_standard_queues_do_not_deduplicate(deployment: Deployment) -> None:
    queue = await deployment.queue()
    await queue.send([outgoing("a"), outgoing("a")])
    assert bodies(await receive(queue, 2)) == ["a", "a"]


@EACH_KIND
async def test_a_long_poll_ends_when_a_message_is_sent(deployment: Deployment, fifo: bool) -> None:
    queue = await deployment.queue(fifo=fifo)
    await queue.send([outgoing("before", "g1")])
    await queue.receive(1, 2)
    poll = asyncio.create_task(queue.receive(10, LONG_POLL_SECONDS))
    await asyncio.sleep(0)
    await queue.send([outgoing("a", "g2")])
    async with asyncio.timeout(LONG_POLL_SECONDS / 2):
        assert bodies(await poll) == ["a"]


async def test_a_long_poll_ends_when_asked_where_that_is_possible(deployment: Deployment) -> None:
    queue = await deployment.queue()
    poll = asyncio.create_task(queue.receive(10, LONG_POLL_SECONDS))
    await asyncio.sleep(0)
    queue.wake()
    if not deployment.service.wakes:
        await queue.send([outgoing("a")])
    async with asyncio.timeout(LONG_POLL_SECONDS / 2):
        assert bodies(await poll) == ([] if deployment.service.wakes else ["a"])


async def test_provisioning_creates_what_is_missing_and_no_more(deployment: Deployment) -> None:
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


async def test_provisioning_again_changes_what_differs(deployment: Deployment) -> None:
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


async def test_a_queue_that_was_never_named_is_unknown(deployment: Deployment) -> None:
    queue = await deployment.queue()
    with pytest.raises(UnknownQueueError) as raised:
        deployment.queues.queue("paymentz")
    assert raised.value.queue == "paymentz"
    assert queue.spec.name in raised.value.known


async def test_requests_are_counted(deployment: Deployment) -> None:
    queue = await deployment.queue()
    await queue.depth()
    before = deployment.queues.requests
    await queue.send([outgoing("a")])
    (message,) = await queue.receive(1, 2)
    await queue.delete([message.receipt])
    assert deployment.queues.requests == before + 3
