"""Duplicates by the dozen, and queues that lose everything: the orders end the same."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.crash.enumeration import both_ways
from tests.flows.machines import machine_of

from conveyor.commerce.orders.intake_consumer import INTAKE
from conveyor.commerce.orders.model import OrderBody
from conveyor.commerce.orders.order_filter import EVERYTHING
from conveyor.commerce.orders.placement import Placed
from conveyor.commerce.orders.search import search
from conveyor.core.order_status import SETTLED
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.flows.shop.shipping.confirmations import Confirmations
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_settled, received
from conveyor.testing.storming import COPIES, SPREAD_SECONDS, storming
from conveyor.testing.tokens import check_tokens

STOCK = 27
METHODS = ("card_ok", "card_declined", "card_insufficient_funds", "card_unanswered", "card_flaky")
ORDERS = 20
RECEIVE = Confirmations.receive


async def storm_of_webhooks(
    confirmations: Confirmations, headers: Mapping[str, str], body: bytes
) -> str:
    """Take every webhook ten times, at different times."""
    rng = random.Random(body)

    async def once() -> str:
        await asyncio.sleep(rng.uniform(0, SPREAD_SECONDS))
        return await RECEIVE(confirmations, headers, body)

    return (await asyncio.gather(*(once() for _ in range(COPIES))))[0]


async def place_all(app: App, methods: Sequence[str] = METHODS) -> None:
    await app.parts.database.run(lambda tx: set_stock(tx, "default", "CD", STOCK))
    for number in range(ORDERS):
        body = OrderBody.model_validate(
            {
                "reference": f"order-{number}",
                "customer": {"id": str(number)},
                "currency": "USD",
                "items": [{"sku": "CD", "quantity": 1 + number % 3}],
                "total": 1000 + number,
                "payment": {"method": methods[number % len(methods)]},
                "shipping": {"country": "US"},
            }
        )
        assert isinstance(await app.placement.place("default", f"key-{number}", body), Placed)


async def until_settled(app: App) -> None:
    def unsettled(tx: Any) -> list[str]:
        orders = search(tx, EVERYTHING, sees=None, limit=1000)
        return [order.id for order in orders if order.status not in SETTLED]

    async with asyncio.timeout(4 * 3600):
        while await app.parts.database.read(unsettled):  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(1)
        await asyncio.sleep(2 * SPREAD_SECONDS)


def final_state(directory: Path) -> dict[str, tuple[Any, ...]]:
    """Give what a customer and a bookkeeper would see of each order."""
    query = """
        SELECT orders.reference, status, coalesce(authorized, 0), coalesce(captured, 0),
               coalesce(refunded, 0), (SELECT sum(sold) FROM stock)
        FROM orders LEFT JOIN payments ON payments.order_id = orders.id
    """
    with closing(sqlite3.connect(directory / "conveyor.db")) as db:
        return {row[0]: row[1:] for row in db.execute(query)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, ...]]:
    """The final state of a run in which nothing goes wrong; stock for all."""
    world = machine_of("shop", tmp_path_factory.mktemp("undisturbed"))

    async def life(app: App) -> None:
        await place_all(app)
        await until_settled(app)

    world.run(life)
    state = final_state(world.directory)
    assert {row[0] for row in state.values()} == {"completed", "refused"}
    return state


@both_ways
def test_every_message_and_webhook_ten_times_shuffled_ends_the_same(
    tmp_path: Path,
    rides: bool,
    undisturbed: dict[str, tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Confirmations, "receive", storm_of_webhooks)
    world = machine_of("shop", tmp_path / "storm", {"ride_on": rides})
    world.wrap_queues = storming

    async def life(app: App) -> None:
        await place_all(app)
        await until_settled(app)
        dropped = sum(n for (what, _), n in app.engine.tally.items() if what == "stale")
        assert rides or dropped > ORDERS * COPIES

    world.run(life)
    check_tokens(world.directory)
    check_settled(world.directory)
    assert received(world.directory) == STOCK
    assert final_state(world.directory) == undisturbed


@both_ways
@pytest.mark.parametrize("after_seconds", [0.5, 1.5, 2.5, 4.5])
def test_purging_every_queue_in_the_middle_loses_no_order(
    tmp_path: Path, undisturbed: dict[str, tuple[Any, ...]], after_seconds: float, rides: bool
) -> None:
    world = machine_of(
        "shop", tmp_path / "purged", {"payment_latency_seconds": 1.0, "ride_on": rides}
    )

    async def life(app: App) -> None:
        await place_all(app)
        await asyncio.sleep(after_seconds)
        for name in (*app.installed.services, INTAKE):
            await app.parts.queues.queue(name).purge()
        await until_settled(app)

    world.run(life)
    check_tokens(world.directory)
    check_settled(world.directory)
    assert received(world.directory) == STOCK
    assert final_state(world.directory) == undisturbed
