"""What the SQS adapter does beside what every queue does: requests, and failures inside of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.queue_fixtures import AMBIENT, REGION
from tests.servers.process import HOST

from conveyor.adapters.sqs import SqsAddress, SqsQueues, SqsTuning
from conveyor.adapters.sqs.batches import ENTRY_ATTEMPTS
from conveyor.adapters.sqs.errors import AwsExtraMissingError, QueueNotProvisionedError
from conveyor.adapters.sqs.provisioning import Provisioner
from conveyor.adapters.sqs.queue import SqsQueue
from conveyor.core.errors import QueuesNotOpenError, QueueUnavailableError
from conveyor.core.queue import LONG_POLL_SECONDS, Outgoing, QueueSpec, VisibilityChange
from conveyor.testing.conformance.queues import QueuesUnderTest
from conveyor.testing.conformance.queues.under_test import fresh_name
from conveyor.testing.loop import run_virtual, virtual_ambient

INTERNAL = {"Code": "InternalError", "SenderFault": False, "Message": "try again"}
INVALID = {"Code": "InvalidParameterValue", "SenderFault": True, "Message": "never"}
THROTTLED = {"Code": "RequestThrottled", "SenderFault": True}

Entry = dict[str, Any]


class FakeSqs:
    """Answers batch calls: entries for which `fails` has a failure fail, the others succeed."""

    def __init__(self, fails: Callable[[str], Entry | None] = lambda _: None) -> None:
        self.fails = fails
        self.batches: list[list[str]] = []

    async def call(self, queue: str, operation: str, **parameters: Any) -> Entry:
        if operation == "get_queue_url":
            return {"QueueUrl": f"http://sqs/{queue}"}
        await asyncio.sleep(0.005)
        entries = parameters["Entries"]
        names = [entry.get("MessageBody") or entry["ReceiptHandle"] for entry in entries]
        self.batches.append(names)
        answer: Entry = {"Successful": [], "Failed": []}
        for entry, name in zip(entries, names, strict=True):
            failure = self.fails(name)
            kind = "Failed" if failure else "Successful"
            answer[kind].append({"Id": entry["Id"], **(failure or {})})
        return answer


def times(failures: dict[str, list[Entry]]) -> Callable[[str], Entry | None]:
    """Fail each name as often as it has failures."""
    return lambda name: failures[name].pop(0) if failures.get(name) else None


def queue_on(sqs: FakeSqs, *, fifo: bool = False, tuning: SqsTuning | None = None) -> SqsQueue:
    return SqsQueue(QueueSpec("q", fifo), "q", sqs, virtual_ambient(), tuning or SqsTuning())


def message(body: str) -> Outgoing:
    """In FIFO queues the first letter of the body is its group."""
    return Outgoing(body, group=body[0], deduplication_id=body)


def test_an_entry_that_failed_by_the_fault_of_sqs_is_sent_again_alone() -> None:
    async def main() -> None:
        sqs = FakeSqs(times({"b": [INTERNAL, INTERNAL], "c": [THROTTLED]}))
        assert await queue_on(sqs).send([message("a"), message("b"), message("c")]) == []
        assert sqs.batches == [["a", "b", "c"], ["b", "c"], ["b"]]

    run_virtual(main())


def test_an_entry_that_failed_by_our_fault_is_given_back_at_once() -> None:
    async def main() -> None:
        sqs = FakeSqs(times({"b": [INVALID]}))
        assert await queue_on(sqs).send([message("a"), message("b"), message("c")]) == [1]
        assert sqs.batches == [["a", "b", "c"]]

    run_virtual(main())


def test_an_entry_that_fails_again_and_again_is_given_back() -> None:
    async def main() -> None:
        sqs = FakeSqs(lambda name: INTERNAL if name == "b" else None)
        queue = queue_on(sqs)
        assert await queue.send([message("a"), message("b")]) == [1]
        assert len(sqs.batches) == ENTRY_ATTEMPTS
        assert await queue.delete(["a", "b"]) == ["b"]
        assert await queue.set_visibility([VisibilityChange(it, 5) for it in "ab"]) == ["b"]

    run_virtual(main())


def test_an_entry_that_the_answer_leaves_out_is_given_back() -> None:
    class ForgetfulSqs(FakeSqs):
        async def call(self, queue: str, operation: str, **parameters: Any) -> Entry:
            answer = await super().call(queue, operation, **parameters)
            return answer if operation == "get_queue_url" else {"Successful": [{"Id": "0"}]}

    async def main() -> None:
        assert await queue_on(ForgetfulSqs()).send([message("a"), message("b")]) == [1]

    run_virtual(main())


def test_attempts_back_off() -> None:
    async def main() -> float:
        sqs = FakeSqs(lambda _: INTERNAL)
        await queue_on(sqs).send([message("a")])
        return asyncio.get_running_loop().time()

    assert 0.35 < run_virtual(main()) < 0.75


class UnreachableSqs(FakeSqs):
    """Does not answer batches with these entries."""

    def __init__(self, *unanswered: str) -> None:
        super().__init__()
        self.unanswered = set(unanswered)

    async def call(self, queue: str, operation: str, **parameters: Any) -> Entry:
        for entry in parameters.get("Entries", ()):
            if entry["MessageBody"] in self.unanswered:
                raise QueueUnavailableError(queue, "no answer")
        return await super().call(queue, operation, **parameters)


def test_the_messages_of_a_batch_without_answer_are_given_back() -> None:
    async def main() -> None:
        sent = [message(f"m{i}") for i in range(25)]
        assert await queue_on(UnreachableSqs("m12")).send(sent) == list(range(10, 20))

    run_virtual(main())


def test_no_answer_at_all_is_an_exception() -> None:
    async def main() -> None:
        await queue_on(UnreachableSqs("m2", "m12")).send([message(f"m{i}") for i in range(20)])

    with pytest.raises(QueueUnavailableError, match="no answer"):
        run_virtual(main())


def test_submissions_at_the_same_time_share_requests() -> None:
    async def main() -> None:
        sqs = FakeSqs()
        queue = queue_on(sqs)
        await asyncio.gather(*(queue.send([message(f"m{i}")]) for i in range(40)))
        assert [len(batch) for batch in sqs.batches] == [10, 10, 10, 10]

    run_virtual(main())


def test_submissions_soon_after_another_share_its_request() -> None:
    async def send_at(queue: SqsQueue, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await queue.delete([str(seconds)])

    async def main() -> None:
        sqs = FakeSqs()
        queue = queue_on(sqs, tuning=SqsTuning(linger_seconds=0.02))
        await asyncio.gather(*(send_at(queue, i / 1000) for i in range(8)))
        assert [len(batch) for batch in sqs.batches] == [8]

    run_virtual(main())


def test_while_a_request_is_under_way_the_next_batch_grows() -> None:
    async def main() -> None:
        sqs = FakeSqs()
        queue = queue_on(sqs, tuning=SqsTuning(linger_seconds=0))
        sending = []
        for i in range(10):
            sending.append(asyncio.create_task(queue.send([message(f"m{i}")])))
            await asyncio.sleep(0.0004)
        await asyncio.gather(*sending)
        assert [len(batch) for batch in sqs.batches] == [1, 9]

    run_virtual(main())


def test_the_messages_of_a_group_leave_one_after_another() -> None:
    async def main() -> None:
        sqs = FakeSqs()
        sent = [message(body) for body in ("a1", "a2", "b1", "c1", "a3", "b2")]
        assert await queue_on(sqs, fifo=True).send(sent) == []
        assert sqs.batches == [["a1", "b1", "c1"], ["a2", "b2"], ["a3"]]

    run_virtual(main())


def test_a_message_that_is_not_accepted_holds_back_the_rest_of_its_group() -> None:
    async def main() -> None:
        sqs = FakeSqs(times({"a1": [INVALID]}))
        sent = [message(body) for body in ("a1", "a2", "b1", "b2", "a3")]
        assert await queue_on(sqs, fifo=True).send(sent) == [0, 1, 4]
        assert sqs.batches == [["a1", "b1"], ["b2"]]

    run_virtual(main())


def test_without_the_sdk_the_adapter_can_be_imported_and_says_what_to_install() -> None:
    program = """
import asyncio, random, sys
sys.modules |= {"aiobotocore": None, "botocore": None, "aiobotocore.config": None}
from conveyor.adapters.sqs import SqsAddress, SqsQueues
from conveyor.core.ambient import Ambient
asyncio.run(SqsQueues(SqsAddress("eu-west-1"), [], Ambient(None, random.Random(1))).open())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    last = done.stderr.splitlines()[-1]
    assert AwsExtraMissingError.__name__ in last
    assert "pip install 'conveyor[aws]'" in last


@pytest.mark.anyio
async def test_a_queue_that_is_not_there_says_how_to_create_it(ministack: QueuesUnderTest) -> None:
    queues = ministack.make()
    assert isinstance(queues, SqsQueues)
    await queues.open()
    name = fresh_name()
    queue = SqsQueue(QueueSpec(name), name, queues, AMBIENT, SqsTuning())
    with pytest.raises(QueueNotProvisionedError, match="conveyor queues provision") as raised:
        await queue.send([message("a"), message("b")])
    assert raised.value.queue == name
    await queues.close()


@pytest.mark.anyio
async def test_a_queue_that_sqs_refuses_says_why(ministack: QueuesUnderTest) -> None:
    queues = ministack.make()
    await queues.open()
    assert isinstance(queues, SqsQueues)
    spec = QueueSpec(fresh_name(), retention_seconds=1)
    made = await queues.provision_with(Provisioner(queues), [spec])
    refused = [
        it for one in made for it in one.not_kept if it.attribute == "MessageRetentionPeriod"
    ]
    assert [(it.expected, "MessageRetentionPeriod" in it.cause) for it in refused] == [("1", True)]
    await queues.close()


def test_queues_are_of_no_use_before_they_are_open() -> None:
    async def main() -> None:
        queues = SqsQueues(SqsAddress(REGION), [QueueSpec("q")], AMBIENT)
        assert queues.requests == 0
        with pytest.raises(QueuesNotOpenError):
            await queues.queue("q").depth()
        await queues.close()

    asyncio.run(main())


@pytest.mark.anyio
@pytest.mark.usefixtures("aws_environment")
async def test_requests_that_the_sdk_repeats_are_counted() -> None:
    answers = iter([b"503 Service Unavailable", b"200 OK"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        body = b'{"QueueUrl": "http://sqs/q"}'
        writer.write(
            b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
            % (next(answers), len(body), body)
        )
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        address = SqsAddress(REGION, "", f"http://{HOST}:{port}")
        queues = SqsQueues(address, [QueueSpec("q")], AMBIENT)
        await queues.open()
        assert await queues.queue("q").url() == "http://sqs/q"
        assert queues.requests == 2
        await queues.close()


@pytest.mark.anyio
async def test_closing_sends_off_what_was_handed_in(ministack: QueuesUnderTest) -> None:
    queues = ministack.make()
    await queues.open()
    spec = QueueSpec(fresh_name())
    await queues.provision([spec])
    sending = asyncio.create_task(queues.queue(spec.name).send([message("a")]))
    await asyncio.sleep(0)
    await queues.close()
    assert await sending == []


@pytest.mark.anyio
@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
async def test_who_stops_ends_its_own_poll_and_takes_nothing_from_others(
    ministack: QueuesUnderTest, fifo: bool
) -> None:
    spec = QueueSpec(fresh_name(), fifo)
    async with ministack.deployed() as ours, ministack.deployed() as theirs:
        for one in (ours, theirs):
            await one.queues.provision([spec])
        stays, goes = theirs.queues.queue(spec.name), ours.queues.queue(spec.name)
        staying = asyncio.create_task(stays.receive(10, LONG_POLL_SECONDS))
        going = asyncio.create_task(goes.receive(10, LONG_POLL_SECONDS))
        await asyncio.sleep(0)
        goes.wake()
        async with asyncio.timeout(LONG_POLL_SECONDS / 2):
            assert await going == []
            if staying.done():  # it was given a wake-up that was meant for the other
                assert staying.result() == []
                staying = asyncio.create_task(stays.receive(10, LONG_POLL_SECONDS))
            await goes.send([message("a")])
            while not (received := await staying):  # wake-ups that nobody needed any more
                staying = asyncio.create_task(stays.receive(10, LONG_POLL_SECONDS))
        assert [it.body for it in received] == ["a"]
        await stays.delete([it.receipt for it in received])
        assert (await stays.depth()).total == 0


@pytest.mark.anyio
async def test_what_a_poll_is_given_as_it_is_ended_is_ours(ministack: QueuesUnderTest) -> None:
    async with ministack.deployed() as deployment:
        queue = await deployment.queue()
        poll = asyncio.create_task(queue.receive(10, LONG_POLL_SECONDS))
        await asyncio.sleep(0)
        queue.wake()
        await queue.send([message("a"), message("b")])
        got = list(await poll)
        got += await queue.receive(10, 0) if len(got) < 2 else []
        assert sorted(it.body for it in got) == ["a", "b"]


@pytest.mark.anyio
async def test_without_polls_there_is_nobody_to_wake(ministack: QueuesUnderTest) -> None:
    async with ministack.deployed() as deployment:
        queue = await deployment.queue()
        queue.wake()
        assert await queue.receive(10, 0) == []
        assert (await queue.depth()).total == 0
