"""What the unit tests share: both databases, the SQL server started once and only when needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.goods_driver import Books
from tests.servers import Postgres, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server(durable=False) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'books.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.fresh_database()
    opened = Books(url)
    yield opened
    opened.close()
