"""Thousands want what few can have: exactly those few get it, on both databases."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from tests.races.two_connections import beside
from tests.servers.postgres import Postgres
from tests.unit.goods_driver import MERCHANT, NOW_MS, Books, order

from conveyor.adapters.postgres import PostgresDatabase
from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.core.batching import Batcher
from conveyor.core.order import Order
from conveyor.core.outcome import Done, Outcome, Refused
from conveyor.core.step import LocalStep, Now
from conveyor.core.transaction import Database, Tx
from conveyor.flows.shop.inventory import store
from conveyor.flows.shop.inventory.model import StockLevel
from conveyor.flows.shop.inventory.steps import STEPS

REQUESTS = 10_000
UNITS = 100
CONNECTIONS = 4
GROUP = 50


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database with all tables, through the adapter that the program uses."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.fresh_database()
        Books(url).close()
        return PostgresDatabase(url, connections=CONNECTIONS)
    path = tmp_path / "race.db"
    Books(f"sqlite:///{path}").close()
    return SqliteDatabase(path)


def consumer(database: Database) -> Callable[[Order, str], Awaitable[Outcome]]:
    """Take steps in groups, several groups at once, as the consumers of several processes do."""

    async def handle(group: Sequence[tuple[Order, str]]) -> list[Outcome]:
        return await database.run(lambda tx: take(tx, group))

    groups: Batcher[tuple[Order, str], Outcome] = Batcher(handle, GROUP, lanes=CONNECTIONS)
    return lambda one, name: groups.submit((one, name))


def take(tx: Tx, group: Sequence[tuple[Order, str]]) -> list[Outcome]:
    for each in sorted({name for _, name in group}):
        STEPS[each].gather(tx, [one for one, name in group if name == each])
    outcomes = []
    for one, name in group:
        step = STEPS[name]
        assert isinstance(step, LocalStep)
        outcomes.append(step.run(tx, one, Now(NOW_MS)))
    return outcomes


def test_ten_thousand_racing_requests_for_a_hundred_units_sell_a_hundred(
    database: Database,
) -> None:
    async def main() -> tuple[Counter[type[Outcome]], list[StockLevel]]:
        await database.run(lambda tx: store.set_stock(tx, MERCHANT, "CD", UNITS))
        submit = consumer(database)

        async def buy(number: int) -> Outcome:
            one = order(number, ("CD", 1))
            outcome = await submit(one, "inventory.reserve")
            if isinstance(outcome, Done):
                await submit(one, "inventory.sell")
            return outcome

        outcomes = await asyncio.gather(*map(buy, range(REQUESTS)))
        levels = await database.read(lambda tx: store.list_stock(tx, MERCHANT, 10))
        await database.close()
        return Counter(map(type, outcomes)), levels

    kinds, levels = asyncio.run(main())

    assert kinds == {Done: UNITS, Refused: REQUESTS - UNITS}
    assert levels == [StockLevel(MERCHANT, "CD", UNITS, available=0, reserved=0, sold=UNITS)]


def test_who_wants_what_is_just_given_back_waits_for_it(postgres: Postgres) -> None:
    books = Books(postgres.fresh_database())
    books.run(lambda tx: store.set_stock(tx, MERCHANT, "CD", 1))
    one, other = order(1, ("CD", 1)), order(2, ("CD", 1))
    books.run(lambda tx: take(tx, [(one, "inventory.reserve")]))
    (outcome,) = beside(
        books,
        lambda tx: take(tx, [(one, "inventory.release")]),
        lambda tx: take(tx, [(other, "inventory.reserve")]),
    )
    books.close()
    assert isinstance(outcome, Done), outcome


def test_orders_that_want_the_same_skus_in_any_order_race_without_a_deadlock(
    database: Database,
) -> None:
    skus = [f"S{number}" for number in range(8)]
    chance = random.Random(7)

    async def main() -> list[StockLevel]:
        runs = 0

        async def handle(group: Sequence[Order], name: str) -> list[Outcome]:
            def work(tx: Tx) -> list[Outcome]:
                nonlocal runs
                runs += 1
                return take(tx, [(one, name) for one in group])

            return await database.run(work)

        await database.run(lambda tx: store.import_stock(tx, MERCHANT, [(s, 500) for s in skus]))
        orders = [
            order(number, *((sku, 1) for sku in chance.sample(skus, 3))) for number in range(2_000)
        ]
        groups = [orders[start : start + 20] for start in range(0, len(orders), 20)]
        await asyncio.gather(*(handle(group, "inventory.reserve") for group in groups))
        levels = await database.read(lambda tx: store.list_stock(tx, MERCHANT, 10))
        await asyncio.gather(*(handle(group, "inventory.release") for group in groups))
        assert runs == 2 * len(groups)  # a deadlock would have shown as a run that was retried
        released = await database.read(lambda tx: store.list_stock(tx, MERCHANT, 10))
        assert {(level.available, level.reserved) for level in released} == {(500, 0)}
        await database.close()
        return levels

    levels = asyncio.run(main())

    assert all(level.balanced for level in levels)
    # Until one SKU is sold out nobody is refused, and a third of 500 orders wants each.
    assert max(level.reserved for level in levels) == 500
