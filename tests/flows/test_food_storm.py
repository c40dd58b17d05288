"""Meals in a storm of duplicates, and through the loss of every queue: they end the same."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.flows.meals import assert_clean, at_metres, open_town, order_meal, settled

from conveyor.commerce.orders.intake_consumer import INTAKE
from conveyor.core.answers import StepAnswer
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_settled
from conveyor.testing.storming import COPIES, SPREAD_SECONDS, storming
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import Machine

METHODS = ("card_ok", "card_declined", "card_unanswered", "card_flaky")
MEALS = 16
FLEET = tuple(
    at_metres(f"r{number:02}", 100 + 10 * number, capacity=MEALS, simulated=behaviour)
    for number, behaviour in enumerate(("refusing", "vanishing", "prompt"))
)
SETTINGS = {"rider_silence_seconds": 120.0, "ride_on": False}


class StormAnswers:
    """Gives every answer ten times, at different times."""

    def __init__(self, take: Callable[[StepAnswer], Awaitable[str]]) -> None:
        self._take, self._rng = take, random.Random(11)
        self._under_way: set[asyncio.Task[None]] = set()

    async def give(self, given: StepAnswer) -> str:
        async def late() -> None:
            await asyncio.sleep(self._rng.uniform(0, SPREAD_SECONDS))
            await self._take(given)

        self._under_way |= {asyncio.create_task(late()) for _ in range(COPIES - 1)}
        return await self._take(given)


async def order_all(app: App) -> list[str]:
    await open_town(app, *FLEET, max_preparing=MEALS)
    return [
        await order_meal(
            app,
            f"key-{number}",
            reference=f"meal-{number}",
            payment={"method": METHODS[number % len(METHODS)]},
        )
        for number in range(MEALS)
    ]


async def all_settled(app: App, meals: list[str]) -> None:
    for meal in meals:
        await settled(app, meal, seconds=0)
    await asyncio.sleep(2 * SPREAD_SECONDS)
    await assert_clean(app)


def final_state(directory: Path) -> dict[str, tuple[Any, ...]]:
    """Give what a customer, a bookkeeper and the riders would see of each order."""
    query = """
        SELECT orders.reference, status, coalesce(authorized, 0), coalesce(captured, 0),
               (SELECT rider FROM offers WHERE order_id = orders.id AND state = 'delivered')
        FROM orders LEFT JOIN payments ON payments.order_id = orders.id
    """
    with closing(sqlite3.connect(directory / "conveyor.db")) as db:
        return {row[0]: row[1:] for row in db.execute(query)}


def states_of_offers(directory: Path) -> set[str]:
    with closing(sqlite3.connect(directory / "conveyor.db")) as db:
        return {row[0] for row in db.execute("SELECT DISTINCT state FROM offers")}


def check(world: Machine) -> None:
    check_tokens(world.directory)
    check_settled(world.directory)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, ...]]:
    """The final state of a run in which nothing goes wrong."""
    world = Machine(tmp_path_factory.mktemp("undisturbed"), SETTINGS)

    async def life(app: App) -> None:
        await all_settled(app, await order_all(app))

    world.run(life)
    check(world)
    state = final_state(world.directory)
    assert {row[0] for row in state.values()} == {"completed", "refused"}
    assert sum(row[-1] == "r02" for row in state.values()) == MEALS * 3 // 4
    assert states_of_offers(world.directory) == {"declined", "lost", "delivered"}
    return state


def test_every_message_and_answer_ten_times_shuffled_ends_the_same(
    tmp_path: Path, undisturbed: dict[str, tuple[Any, ...]]
) -> None:
    world = Machine(tmp_path / "storm", SETTINGS)
    world.wrap_queues = storming

    async def life(app: App) -> None:
        app.answers.take = StormAnswers(app.answers.take).give  # type: ignore[method-assign]
        await all_settled(app, await order_all(app))
        dropped = sum(n for (what, _), n in app.engine.tally.items() if what == "stale")
        assert dropped > MEALS * COPIES

    world.run(life)
    check(world)
    assert final_state(world.directory) == undisturbed


@pytest.mark.parametrize("after_seconds", [0.5, 1.5, 2.5, 4.5, 60.0])
def test_purging_every_queue_in_the_middle_loses_no_meal(
    tmp_path: Path, undisturbed: dict[str, tuple[Any, ...]], after_seconds: float
) -> None:
    world = Machine(tmp_path / "purged", {"payment_latency_seconds": 1.0, **SETTINGS})

    async def life(app: App) -> None:
        meals = await order_all(app)
        await asyncio.sleep(after_seconds)
        for name in (*app.installed.services, INTAKE):
            await app.parts.queues.queue(name).purge()
        await all_settled(app, meals)

    world.run(life)
    check(world)
    assert final_state(world.directory) == undisturbed
