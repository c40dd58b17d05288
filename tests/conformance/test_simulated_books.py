"""Who is simulated keeps its own books: on PostgreSQL in a database beside ours, never in ours."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from tests.servers.postgres import Postgres
from tests.unit.payment_driver import ambient

from conveyor.adapters.postgres.creation import beside
from conveyor.adapters.simulated.opening import open_payments
from conveyor.commerce.payments.ports import Approved, PaymentRequest
from conveyor.core.errors import DatabaseUnavailableError
from conveyor.settings import SettingError, Settings

BOOKS = "SELECT count(*) FROM provider_operations"
REQUEST = PaymentRequest("1", 100, "USD", "card_ok")


def pay(**settings: Any) -> object:
    """Open the provider as a process does, authorize once, and close it."""

    async def main() -> object:
        async with open_payments(Settings(**settings), ambient()) as provider:
            return await provider.authorize(REQUEST, "1/authorize/1")

    return asyncio.run(main())


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(BOOKS).fetchone()
    assert row is not None
    return int(row[0])


def test_they_are_in_a_database_beside_ours_which_is_made(postgres: Postgres) -> None:
    url = postgres.fresh_database()
    assert isinstance(pay(database_url=url), Approved)
    assert count(beside(url, "_simulated")) == 1
    with pytest.raises(psycopg.errors.UndefinedTable):
        count(url)


def test_they_are_found_again_and_where_the_setting_says(postgres: Postgres) -> None:
    url, other = postgres.fresh_database(), postgres.fresh_database()
    first = pay(database_url=url, simulated_database_url=other)
    assert pay(database_url=url, simulated_database_url=other) == first
    assert count(other) == 1


def test_who_may_make_no_database_is_told_what_to_do(postgres: Postgres) -> None:
    url = postgres.fresh_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE modest LOGIN PASSWORD 'secret'")
    place = psycopg.conninfo.conninfo_to_dict(url)
    modest = f"postgresql://modest:secret@{place['host']}:{place['port']}/{place['dbname']}"
    with pytest.raises(SettingError, match="cannot be made here: permission denied") as raised:
        pay(database_url=modest)
    assert raised.value.name == "CONVEYOR_SIMULATED_DATABASE_URL"
    assert "secret" not in str(raised.value)


def test_a_server_that_is_away_is_told_as_one() -> None:
    with pytest.raises(DatabaseUnavailableError):
        pay(database_url="postgresql://nobody@127.0.0.1:1/orders")
