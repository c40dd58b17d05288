"""SQLite and PostgreSQL keep what every database promises, in each of the ways they are used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from tests.conformance.database_fixtures import Place
from tests.servers.pooler import pooled
from tests.servers.postgres import Postgres

from conveyor.core.transaction import Database, Tx
from conveyor.testing.conformance.databases import DatabaseConformance, InlineDatabaseConformance
from conveyor.testing.conformance.databases.under_test import putting, values


@pytest.fixture(scope="module")
def pooler(postgres: Postgres) -> Iterator[Postgres]:
    with pooled(postgres) as server:
        yield server


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database of the kind that is asked for."""
    if request.param.startswith("sqlite"):
        return Place(request.param, f"sqlite:///{tmp_path / 'conformance.db'}")
    behind = "pooler" if request.param.endswith("-pooled") else "postgres"
    server: Postgres = request.getfixturevalue(behind)
    return Place(request.param, server.fresh_database())


@pytest.mark.parametrize("place", ["sqlite", "postgresql", "postgresql-pooled"], indirect=True)
class TestInThreads(DatabaseConformance):
    """All of it, for each of them."""


@pytest.mark.parametrize("place", ["sqlite-inline", "postgresql-inline"], indirect=True)
class TestInTheLoop(InlineDatabaseConformance):
    """All that holds where nothing is side by side."""


SETTINGS = ("enable_seqscan", "statement_timeout", "lock_timeout")


def settings(tx: Tx) -> list[str]:
    return [str(tx.execute(sa.text(f"SHOW {name}")).scalar_one()) for name in SETTINGS]


@pytest.mark.parametrize("place", ["postgresql", "postgresql-pooled"], indirect=True)
def test_what_holds_for_a_transaction_holds_for_each(place: Place) -> None:
    async def look(database: Database) -> None:
        for _ in range(3):
            assert await database.run(settings) == ["off", "1min", "10s"]
            assert await database.read(settings) == ["on", "1min", "10s"]
            assert await database.examine(settings) == ["on", "0", "10s"]

    place.play(look, look)


def test_behind_a_pooler_a_session_is_left_as_it_was(pooler: Postgres) -> None:
    url = pooler.fresh_database()
    Place("postgresql-pooled", url).play(use)
    with psycopg.connect(url, prepare_threshold=None) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
        assert connection.execute("SHOW enable_seqscan").fetchone() == ("on",)
        prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert prepared == (0,)


async def use(database: Database) -> None:
    for number in range(10):
        await database.run(putting(str(number)))
        await database.read(values)
