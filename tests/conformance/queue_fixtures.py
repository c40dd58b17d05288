"""The queue services that the conformance suite runs on, and in what each departs from SQS."""

from __future__ import annotations

import functools
import random
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.server_process import HOST
from tests.servers import AWS_TEST_ENVIRONMENT, ministack_server

from conveyor.adapters.embedded_queue import EmbeddedQueues
from conveyor.adapters.sqs import SqsAddress, SqsQueues
from conveyor.core.ambient import Ambient
from conveyor.core.queue import MAX_MESSAGE_BYTES, Queue, Queues, QueueSpec

REGION = "eu-west-1"


class WallClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


AMBIENT = Ambient(WallClock(), random.Random(1))


@dataclass(frozen=True)
class Service:
    """A queue service. Every field but the first two names a departure from Amazon SQS.

    Tests assert the departures, so that one that ends is noticed.
    """

    name: str
    make: Callable[[], Queues]
    # MiniStack has the limit that SQS had until 2025.
    largest_body: int = MAX_MESSAGE_BYTES
    # Moto deletes, and sets visibility, by any receipt that a message ever had; on SQS an older
    # one does nothing.
    obeys_stale_receipts: bool = False
    # Moto and MiniStack let the latest receipt set the visibility of a message that is visible
    # again; SQS answers MessageNotInflight.
    obeys_ended_leases: bool = False
    # Moto and MiniStack delete from a FIFO queue after the lease ended; SQS says it has expired.
    deletes_fifo_after_lease: bool = False
    # MiniStack calls the receipt of a deleted message invalid; SQS accepts it.
    refuses_second_delete: bool = False
    # Moto deduplicates against the messages that are in the queue, whatever their group.
    deduplicates_by_contents_of_queue: bool = False
    # An addition: the embedded queue's redrive policy tells why it moved a message.
    tells_cause: bool = False
    # An addition: the embedded queue's long polls end when asked to.
    wakes: bool = False


class Deployment:
    """A service to which each test adds queues of its own."""

    def __init__(self, service: Service, queues: Queues) -> None:
        self.service = service
        self.queues = queues

    async def queue(
        self, *, fifo: bool = False, visibility_seconds: int = 30, max_receives: int = 10
    ) -> Queue:
        """Provision a queue."""
        spec = QueueSpec(fresh_name(), fifo, visibility_seconds, max_receives)
        await self.queues.provision([spec])
        return self.queues.queue(spec.name)


def fresh_name() -> str:
    return f"q{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One event loop for all, so that a client is made once for each service."""
    return "asyncio"


@pytest.fixture(scope="session")
def aws_environment() -> Iterator[None]:
    """Credentials for servers that take any."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AWS_TEST_ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


def _held(lock: threading.Lock, call: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(call)
    def held(*args: object, **kwargs: object) -> object:
        with lock:
            return call(*args, **kwargs)

    return held


@pytest.fixture(scope="session")
def moto(request: pytest.FixtureRequest) -> Iterator[Service]:
    request.getfixturevalue("aws_environment")
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - takes a second, for few tests
    from moto.sqs.models import Queue as MotoQueue  # noqa: PLC0415 - likewise

    # Its server has threads and its queues have no lock: of two requests at the same moment one
    # undoes what the other did to the list of messages, and both are told that it was done.
    one_at_a_time = threading.Lock()
    for name in ("add_message", "delete_message"):
        setattr(MotoQueue, name, _held(one_at_a_time, getattr(MotoQueue, name)))
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    address = SqsAddress(REGION, "moto-", f"http://{HOST}:{server.get_host_and_port()[1]}")
    yield Service(
        "moto",
        lambda: SqsQueues(address, [], AMBIENT),
        obeys_stale_receipts=True,
        obeys_ended_leases=True,
        deletes_fifo_after_lease=True,
        deduplicates_by_contents_of_queue=True,
    )
    server.stop()


@pytest.fixture(scope="session")
def ministack(request: pytest.FixtureRequest) -> Iterator[Service]:
    request.getfixturevalue("aws_environment")
    with ministack_server() as server:
        address = SqsAddress(REGION, "mini-", server.endpoint_url)
        yield Service(
            "ministack",
            lambda: SqsQueues(address, [], AMBIENT),
            largest_body=262_144,
            obeys_ended_leases=True,
            deletes_fifo_after_lease=True,
            refuses_second_delete=True,
        )


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Service:
    path = tmp_path_factory.mktemp("embedded") / "queues.db"
    return Service(
        "embedded", lambda: EmbeddedQueues(path, [], AMBIENT), tells_cause=True, wakes=True
    )


@pytest.fixture(scope="session", params=["embedded", "moto", "ministack"])
async def deployment(request: pytest.FixtureRequest) -> AsyncIterator[Deployment]:
    """Each of the services, open."""
    service: Service = request.getfixturevalue(request.param)
    queues = service.make()
    await queues.open()
    yield Deployment(service, queues)
    await queues.close()
