"""The package is built once, and so are the servers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from tests.aws.deployment import Deployment, deployed
from tests.aws.runtime import TASK, lay_out
from tests.servers.migrated import migrated_database
from tests.servers.ministack import SqsServer, ministack_server
from tests.servers.once import once
from tests.servers.pooler import pooled
from tests.servers.postgres import Postgres, postgres_server

from conveyor.entrypoints.aws_lambda.packaging import build

Deploy = Callable[..., Deployment]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "functions.zip", build)


@pytest.fixture(scope="session")
def package(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "functions", partial(lay_out, archive)) / TASK


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[Postgres, SqsServer]]:
    with postgres_server(durable=False) as postgres, ministack_server() as sqs:
        yield postgres, sqs


@pytest.fixture(scope="session")
def pooler(servers: tuple[Postgres, SqsServer]) -> Iterator[Postgres]:
    with pooled(servers[0]) as server:
        yield server


@pytest.fixture
def deploy(package: Path, servers: tuple[Postgres, SqsServer]) -> Iterator[Deploy]:
    postgres, sqs = servers
    with ExitStack() as stack:

        def make(database: str = "", **settings: str) -> Deployment:
            prefix = f"f{uuid.uuid4().hex[:8]}-"
            place = database or migrated_database(postgres)
            made = deployed(package, place, sqs.endpoint_url, prefix, **settings)
            return stack.enter_context(made)

        yield make
