"""Meals on PostgreSQL, where transactions of one process run side by side: nobody wins twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from tests.api.food import PLACE, SHIFT, Town, meal, ticket
from tests.api.serving import Server, place
from tests.servers.migrated import migrated_database
from tests.servers.postgres import Postgres

RIDERS = [f"r{number:02}" for number in range(20)]
_number = count()


@pytest.fixture(scope="module")
def server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A system on PostgreSQL."""
    url, data = migrated_database(postgres), tmp_path_factory.mktemp("postgres")
    quick: dict[str, Any] = {"offer_deadline_seconds": 4.0, "food_pace_seconds": 0.0}
    with Server(data, database_url=url, **quick) as running:
        yield running


def crowd(server: Server, *riders: str) -> Town:
    return Town(server, f"crowd-{next(_number)}", *riders)


def test_a_meal_from_order_to_delivery(server: Server) -> None:
    town = crowd(server, "r1")
    order_id = town.order()
    town.accept(order_id)
    for what in ("accept", "picked-up", "delivered"):
        assert town.say("r1", order_id, what).status_code == 202
    town.ends(order_id, "completed")
    assert town.owner.get("/v1/audit").json()["clean"]


def test_twenty_requests_accept_one_offer(server: Server) -> None:
    town = crowd(server, *RIDERS)
    order_id = town.order()
    town.accept(order_id)
    with ThreadPoolExecutor(20) as threads:
        said = list(threads.map(lambda name: town.say(name, order_id, "accept"), RIDERS))
        again = list(threads.map(lambda _: town.say("r00", order_id, "accept"), range(20)))
    assert [answer.status_code for answer in said].count(202) == 1
    assert {answer.status_code for answer in again} == {409}


def test_two_orders_at_once_for_a_rider_who_can_carry_one(server: Server) -> None:
    town = crowd(server, "r1")
    orders = [town.order() for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        body = {"minutes": 5}
        answers = threads.map(
            lambda one: town.kitchen.post(ticket(one, "accept"), json=body), orders
        )
        assert [answer.status_code for answer in answers] == [202, 202]
    ends = {town.ends(one, "awaiting", "refused")["status"] for one in orders}
    assert ends == {"awaiting", "refused"}  # while one is offered, the other finds nobody
    assert len(town.riders["r1"].get("/v1/riders/r1/offers").json()["offers"]) == 1
    assert town.owner.get("/v1/audit").json()["clean"]


def test_a_rush_on_few_riders_ends_clean(server: Server) -> None:
    town = crowd(server)
    town.owner.put("/v1/restaurants/luigi", json=PLACE | {"simulated": "prompt"})
    behaviours = ("prompt", "prompt", "refusing", "silent")
    for number, behaviour in enumerate(behaviours):
        body = PLACE | {"shift_until": SHIFT, "capacity": 4, "simulated": behaviour}
        assert town.owner.put(f"/v1/riders/s{number}", json=body).status_code == 200
    with ThreadPoolExecutor(8) as threads:
        orders = list(threads.map(lambda _: place(town.owner, meal()), range(60)))
        ends = threads.map(lambda one: town.ends(one, "completed", "refused", "parked"), orders)
        found = Counter(order["status"] for order in ends)
    assert found["parked"] == 0
    assert found["completed"] > 8
    riders = town.owner.get("/v1/riders").json()["riders"]
    assert [rider["load"] for rider in riders] == [0] * len(behaviours)
    assert town.owner.get("/v1/audit").json()["clean"]
