"""Real Node.js, with the packages that the locks pin, beside a system on PostgreSQL and SQS."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.api.serving import Server
from tests.cli.driver import say
from tests.node.driver import EXAMPLE, EXTENSION, HERE, PREFIX, ROOT, Node, Shop
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server

Start = Callable[..., Node]


@pytest.fixture(scope="session", autouse=True)
def packages() -> None:
    """Install once what the locks pin; `make test` has done so before."""
    done = subprocess.run(
        [ROOT / "scripts" / "install-node-packages", EXAMPLE, HERE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    data = tmp_path_factory.mktemp("node")
    with (
        postgres_server(durable=False) as postgres,
        ministack_server() as sqs,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in AWS_TEST_ENVIRONMENT.items():
            patch.setenv(name, value)
        settings = {
            "database_url": postgres.fresh_database(),
            "queue_url": f"sqs://eu-west-1/{PREFIX}?endpoint_url={sqs.endpoint_url}",
            "extensions": EXTENSION,
        }
        environment = {f"CONVEYOR_{name.upper()}": text for name, text in settings.items()}
        for command in (("migrate",), ("queues", "provision")):
            assert say(*command, "--data", data, **environment).code == 0
        # Polls of a second: the end waits for those that are open.
        with Server(data, grace_seconds=3.0, **settings) as server:
            yield Shop(server, sqs.endpoint_url)


@pytest.fixture
def start(shop: Shop, tmp_path: Path) -> Iterator[Start]:
    """Start a program of the example; whatever still runs at the end is killed."""
    with ExitStack() as stack:

        def run(program: str, **environment: str) -> Node:
            given = shop.environment | {"BILLING_RECEIPTS": str(tmp_path / "receipts")}
            return stack.enter_context(Node(EXAMPLE / program, given | environment))

        yield run
