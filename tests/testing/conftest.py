"""A real PostgreSQL for what is simulated on one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.servers.postgres import Postgres, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server(durable=False) as server:
        yield server
