"""The queue services that we have, or test with, and in what each departs from Amazon SQS."""

from __future__ import annotations

import functools
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.process import HOST

from conveyor.adapters.embedded_queue import EmbeddedQueues
from conveyor.adapters.sqs import SqsAddress, SqsQueues
from conveyor.core.ambient import Ambient
from conveyor.testing.conformance.queues import Deployment, QueuesUnderTest

REGION = "eu-west-1"


class WallClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


AMBIENT = Ambient(WallClock(), random.Random(1))


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
def moto(request: pytest.FixtureRequest) -> Iterator[QueuesUnderTest]:
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
    yield QueuesUnderTest(
        lambda: SqsQueues(address, [], AMBIENT),
        obeys_stale_receipts=True,
        obeys_ended_leases=True,
        deletes_fifo_after_lease=True,
        deduplicates_by_contents_of_queue=True,
        wakes=True,
    )
    server.stop()


@pytest.fixture(scope="session")
def ministack(request: pytest.FixtureRequest) -> Iterator[QueuesUnderTest]:
    request.getfixturevalue("aws_environment")
    with ministack_server() as server:
        address = SqsAddress(REGION, "mini-", server.endpoint_url)
        yield QueuesUnderTest(
            lambda: SqsQueues(address, [], AMBIENT),
            largest_body=262_144,  # the limit that SQS had until 2025
            obeys_ended_leases=True,
            deletes_fifo_after_lease=True,
            refuses_second_delete=True,
            wakes=True,
        )


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> QueuesUnderTest:
    def make() -> EmbeddedQueues:
        # A file each time: that of the tests before may still be open.
        path = tmp_path_factory.mktemp("embedded") / "queues.db"
        return EmbeddedQueues(path, [], AMBIENT)

    return QueuesUnderTest(make, tells_cause=True, wakes=True)


@pytest.fixture(scope="session", params=["embedded", "moto", "ministack"])
def queues(request: pytest.FixtureRequest) -> QueuesUnderTest:
    """Each of them."""
    service: QueuesUnderTest = request.getfixturevalue(request.param)
    return service


@pytest.fixture(scope="session")
async def deployment(queues: QueuesUnderTest) -> AsyncIterator[Deployment]:
    """Each of them, open."""
    async with queues.deployed() as deployment:
        yield deployment
