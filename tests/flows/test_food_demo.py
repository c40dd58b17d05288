"""The demonstration's town: every way to behave has its meal."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import orjson
from tests.flows.meals import assert_clean, settled

from conveyor.commerce.orders.placement import Placed
from conveyor.flows.food.demo import IMPATIENCE, MEALS, meals, open_town
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_settled
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import Machine


def test_the_demonstrations_meals(tmp_path: Path) -> None:
    world = Machine(tmp_path / "world", IMPATIENCE)

    async def life(app: App) -> Counter[str]:
        await open_town(app, "default")
        await open_town(app, "default")
        found = Counter[str]()
        placed = []
        for number, meal in enumerate(meals()):
            body = app.installed.bodies.read_json(orjson.dumps(meal))
            answer = await app.placement.place("default", f"meal-{number}", body)
            assert isinstance(answer, Placed)
            placed.append(answer.order_id)
        for order_id in placed:
            found[(await settled(app, order_id, seconds=0)).status] += 1
        await assert_clean(app)
        return found

    found = world.run(life)
    assert found.total() == MEALS
    assert set(found) == {"completed", "refused"}
    assert found["completed"] > MEALS / 2
    with closing(sqlite3.connect(world.directory / "conveyor.db")) as db:
        states = {row[0] for row in db.execute("SELECT DISTINCT state FROM offers")}
        reasons = {row[0] for row in db.execute("SELECT reason FROM orders") if row[0]}
    assert {"declined", "lapsed", "lost", "delivered"} <= states
    assert {
        "card declined",
        "the restaurant rejected it: sold out",
        "the restaurant did not answer in time",
    } <= reasons
    check_tokens(world.directory)
    check_settled(world.directory)
