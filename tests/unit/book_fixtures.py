"""Both databases, with all tables; the SQL server is started once, and only when needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.postgres import Postgres
from tests.unit.goods_driver import Books


@pytest.fixture(scope="session")
def postgres_books(postgres_of_all: Postgres) -> Iterator[Books]:
    opened = Books(postgres_of_all.fresh_database())
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    """An empty database of each kind."""
    if request.param == "postgresql":
        shared: Books = request.getfixturevalue("postgres_books")
        shared.clear()
        yield shared
        return
    opened = Books(f"sqlite:///{tmp_path / 'books.db'}")
    yield opened
    opened.close()
