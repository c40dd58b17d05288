"""Servers for all of these tests, and a deployment on them that is as it should be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.driver import say
from tests.doctor.between import Between, between
from tests.servers.migrated import migrated_database
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, SqsServer, ministack_server
from tests.servers.postgres import Postgres, postgres_server

Environment = dict[str, str]


@pytest.fixture(scope="session")
def sqs() -> Iterator[SqsServer]:
    with ministack_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Durable: doctor would rightly say if it were not."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    with postgres.shared() as lent:
        yield migrated_database(lent)


@pytest.fixture(scope="session")
def provisioned(sqs: SqsServer, postgres: Postgres) -> Environment:
    """A deployment on PostgreSQL and SQS that is as it should be; nobody works in it."""
    queues = f"sqs://eu-west-1/well-?endpoint_url={sqs.endpoint_url}"
    environment = AWS_TEST_ENVIRONMENT | {
        "CONVEYOR_DATABASE_URL": migrated_database(postgres),
        "CONVEYOR_QUEUE_URL": queues,
    }
    assert say("queues", "provision", **environment).code == 0
    return environment


@pytest.fixture
def rules(sqs: SqsServer) -> Iterator[Between]:
    with between(sqs.endpoint_url) as rules:
        yield rules


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded directory that is as it should be, to be copied."""
    path = tmp_path_factory.mktemp("embedded") / "data"
    assert say("stock", "set", "CD", 10, "--data", path).code == 0
    return path
