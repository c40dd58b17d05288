"""Restaurants and riders over HTTP, each with a key of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from tests.api.food import PLACE, SHIFT, Town, meal, ticket
from tests.api.serving import Server, fields_of, order_of, problem_of

from conveyor.adapters.simulated.payment_account import Operation
from conveyor.adapters.simulated.payment_answers import Instruction
from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.commerce.payments.ports import Declined, PaymentAnswer
from conveyor.entrypoints.cli import main

_number = count()


@pytest.fixture
def town(server: Server) -> Town:
    return Town(server, f"town-{next(_number)}", "r1", "r2")


def test_a_meal_from_order_to_delivery(town: Town) -> None:
    order_id = town.order()
    (asked,) = town.kitchen.get("/v1/restaurants/luigi/tickets").json()["tickets"]
    assert (asked["order"], asked["state"]) == (order_id, "asked")
    assert asked["items"][0]["sku"] == "PIZZA"
    assert asked["answer_by"] > asked["asked_at"]
    town.accept(order_id)
    assert town.owner.get("/v1/restaurants/luigi").json()["preparing"] == 1
    assert town.kitchen.post(ticket(order_id, "ready")).status_code == 202
    assert town.owner.get("/v1/restaurants/luigi").json()["preparing"] == 0
    (offer,) = town.riders["r1"].get("/v1/riders/r1/offers").json()["offers"]
    assert (offer["order"], offer["state"], offer["restaurant"]) == (order_id, "open", "luigi")
    assert offer["pickup"] == PLACE
    assert offer["shipping"] is None  # where somebody lives is told to who brings the meal
    assert town.say("r1", order_id, "accept").status_code == 202
    town.at(order_id, "riders.deliver")
    (ride,) = town.riders["r1"].get("/v1/riders/r1/offers").json()["offers"]
    assert ride["shipping"]["line1"] == "1 Main Street"
    assert town.say("r1", order_id, "picked-up").status_code == 202
    here = {"latitude": 52.505, "longitude": 13.405}
    assert town.riders["r1"].post("/v1/riders/r1/position", json=here).status_code == 204
    rider = town.owner.get("/v1/riders/r1").json()
    assert (rider["latitude"], rider["load"]) == (52.505, 1)
    assert town.say("r1", order_id, "delivered").status_code == 202
    assert town.ends(order_id, "completed")["restaurant"] == "luigi"
    done = town.kitchen.get("/v1/restaurants/luigi/tickets", params={"state": "collected"}).json()
    assert [one["order"] for one in done["tickets"]] == [order_id]
    assert town.owner.get("/v1/riders/r1").json()["load"] == 0


def test_a_rejection_is_told_to_the_customer(town: Town) -> None:
    order_id = town.order()
    answer = town.kitchen.post(ticket(order_id, "reject"), json={"reason": "no dough"})
    assert answer.status_code == 202
    assert town.ends(order_id, "refused")["reason"] == "the restaurant rejected it: no dough"
    again = town.kitchen.post(ticket(order_id, "accept"), json={"minutes": 5})
    assert problem_of(again, 409)["code"] == "not_awaited"


def test_a_declined_offer_goes_to_the_next_rider(town: Town) -> None:
    order_id = town.order()
    town.accept(order_id)
    assert problem_of(town.say("r2", order_id, "accept"), 409)["code"] == "not_offered"
    assert town.say("r1", order_id, "decline").status_code == 202
    assert town.say("r2", order_id, "accept").status_code == 202
    assert problem_of(town.say("r1", order_id, "accept"), 409)["code"] == "not_offered"
    town.at(order_id, "riders.deliver")
    assert problem_of(town.say("r2", order_id, "delivered"), 409)["code"] == "not_now"


def test_twenty_requests_accept_one_offer(server: Server) -> None:
    names = [f"r{number:02}" for number in range(20)]
    town = Town(server, "crowded", *names)
    order_id = town.order()
    town.accept(order_id)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda name: town.say(name, order_id, "accept"), names))
    assert [answer.status_code for answer in answers].count(202) == 1
    assert answers[0].status_code == 202
    assert {answer.status_code for answer in answers[1:]} == {409}


def test_cancelling_says_what_it_costs(town: Town) -> None:
    free = town.order()
    answer = town.owner.post(f"/v1/orders/{free}/cancel")
    undoes = ["restaurants.withdraw", "payments.void"]
    assert answer.json() == {"outcome": "void", "status": "compensating", "steps": undoes}
    town.ends(free, "cancelled")
    late = town.order()
    town.accept(late)
    answer = town.owner.post(f"/v1/orders/{late}/cancel", json={"reason": "not hungry"})
    assert answer.status_code == 202
    said = {"outcome": "part_refund", "kept": 1_250, "returned": 1_250, "currency": "EUR"}
    undoes = ["riders.release", "restaurants.withdraw", "payments.void"]
    assert answer.json() == said | {"status": "compensating", "steps": undoes}
    town.ends(late, "cancelled")
    again = town.owner.post(f"/v1/orders/{late}/cancel").json()
    assert again == said | {"status": "cancelled", "steps": []}
    served = {"CONVEYOR_SERVER": town.server.url, "CONVEYOR_API_KEY": town.server.local_key}
    told = CliRunner().invoke(main, ["orders", "cancel", late], env=served).output
    assert told == "It is cancelled: that late it costs EUR 12.50; EUR 12.50 goes back.\n"
    assert problem_of(town.say("r1", late, "accept"), 409)["code"] == "not_awaited"
    on_its_way = town.order()
    town.accept(on_its_way)
    town.say("r1", on_its_way, "accept")
    town.at(on_its_way, "riders.deliver")
    town.say("r1", on_its_way, "picked-up")
    assert problem_of(town.owner.post(f"/v1/orders/{on_its_way}/cancel"), 409)["code"] == "too_late"


def test_a_key_speaks_for_its_own_restaurant_or_rider_alone(town: Town, server: Server) -> None:
    order_id = town.order()
    problem_of(town.kitchen.get("/v1/restaurants/mario/tickets"), 403)
    problem_of(town.riders["r1"].post(f"/v1/riders/r2/offers/{order_id}/accept"), 403)
    problem_of(town.riders["r1"].post("/v1/riders/r2/position", json=PLACE), 403)
    problem_of(town.riders["r1"].put("/v1/riders/r2/shift", json={"until": None}), 403)
    problem_of(town.kitchen.get("/v1/orders"), 403)
    problem_of(town.riders["r1"].get("/v1/restaurants/luigi/tickets"), 403)
    operator = server.client_of(town.merchant, ["operate"])
    problem_of(operator.get("/v1/restaurants/luigi/tickets"), 403)
    body = {"minutes": 5}
    problem_of(town.riders["r1"].post(ticket(order_id, "accept"), json=body), 403)


def test_another_merchants_orders_are_out_of_reach(town: Town, server: Server) -> None:
    order_id = town.order()
    other = Town(server, "elsewhere", "r1")
    body = {"minutes": 5}
    problem_of(other.kitchen.post(ticket(order_id, "accept"), json=body), 404)
    problem_of(other.kitchen.post(ticket(order_id, "ready")), 404)
    problem_of(other.say("r1", order_id, "accept"), 404)
    assert other.kitchen.get("/v1/restaurants/luigi/tickets").json()["tickets"] == []


def test_a_shift_begins_and_ends(town: Town) -> None:
    for name in ("r1", "r2"):
        ended = town.riders[name].put(f"/v1/riders/{name}/shift", json={"until": None})
        assert ended.json()["shift_until"] is None
    order_id = town.order()
    town.kitchen.post(ticket(order_id, "accept"), json={"minutes": 10})
    assert town.ends(order_id, "refused")["reason"] == "no rider is left to ask"
    begun = town.riders["r2"].put("/v1/riders/r2/shift", json={"until": SHIFT})
    assert begun.json()["shift_until"] == "2100-01-01T00:00:00.000+00:00"
    order_id = town.order()
    town.accept(order_id)
    assert town.say("r2", order_id, "accept").status_code == 202


def test_a_capacity_below_what_is_carried_is_refused(town: Town) -> None:
    body = PLACE | {"shift_until": SHIFT, "capacity": 2}
    assert town.owner.put("/v1/riders/r1", json=body).status_code == 200
    town.riders["r2"].put("/v1/riders/r2/shift", json={"until": None})
    for order_id in [town.order() for _ in range(2)]:
        town.accept(order_id)
    assert town.owner.get("/v1/riders/r1").json()["load"] == 2
    changed = town.owner.put("/v1/riders/r1", json=body | {"capacity": 1})
    assert problem_of(changed, 409)["code"] == "carries_more"


def test_restaurants_and_riders_are_listed_page_by_page(town: Town) -> None:
    town.owner.put("/v1/restaurants/mario", json=PLACE | {"hours": {"mon": ["11:00-14:00"]}})
    first = town.owner.get("/v1/restaurants", params={"limit": 1}).json()
    assert [one["id"] for one in first["restaurants"]] == ["luigi"]
    rest = town.owner.get("/v1/restaurants", params={"cursor": first["next"]}).json()
    assert [one["id"] for one in rest["restaurants"]] == ["mario"]
    assert rest["restaurants"][0]["hours"] == {"mon": ["11:00-14:00"]}
    riders = town.owner.get("/v1/riders").json()
    assert [one["id"] for one in riders["riders"]] == ["r1", "r2"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/restaurants/x", {**PLACE, "latitude": 91}, "latitude"),
        ("/v1/restaurants/x", {**PLACE, "zone": "Mars/Olympus"}, "zone"),
        ("/v1/restaurants/x", {**PLACE, "hours": {"mon": ["11-14"]}}, "hours.mon.0"),
        ("/v1/restaurants/x", {**PLACE, "simulated": "rude"}, "simulated"),
        ("/v1/riders/x", {**PLACE, "capacity": 0}, "capacity"),
        ("/v1/riders/x", {**PLACE, "shift_until": "tomorrow"}, "shift_until"),
        ("/v1/riders/x", {**PLACE, "shift_until": "1"}, "shift_until"),
        ("/v1/riders/x", {**PLACE, "shift_until": 1}, "shift_until"),
    ],
)
def test_a_wrong_field_is_named(client: httpx.Client, path: str, body: Any, field: str) -> None:
    assert fields_of(client.put(path, json=body)) == {field}


def test_an_order_needs_a_restaurant(client: httpx.Client) -> None:
    without = meal()
    del without["restaurant"]
    assert fields_of(client.post("/v1/orders", json=without)) == {"restaurant"}
    strange = order_of(restaurant="luigi")
    assert fields_of(client.post("/v1/orders", json=strange)) == {"restaurant"}


def test_what_does_not_exist_is_not_found(client: httpx.Client) -> None:
    for path in ("/v1/restaurants/none", "/v1/riders/none"):
        problem_of(client.get(path), 404)


@pytest.fixture
def unpaid(town: Town, monkeypatch: pytest.MonkeyPatch) -> str:
    """Bring a meal whose money can not be taken any more."""
    order_id, genuine = town.order(), SimulatedPaymentProvider._send

    async def send(provider: SimulatedPaymentProvider, asked: Instruction) -> PaymentAnswer:
        if (asked.request.order_id, asked.operation) == (order_id, Operation.CAPTURE):
            return Declined("the authorization has expired")
        return await genuine(provider, asked)

    monkeypatch.setattr(SimulatedPaymentProvider, "_send", send)
    town.accept(order_id)
    for what in ("accept", "picked-up", "delivered"):
        if what == "picked-up":
            town.at(order_id, "riders.deliver")
        assert town.say("r1", order_id, what).status_code == 202
    town.ends(order_id, "parked")
    return order_id


def test_a_delivered_meal_that_was_not_paid_for_is_to_be_collected(
    town: Town, server: Server, unpaid: str
) -> None:
    (listed,) = town.owner.get("/v1/dead-letters").json()["orders"]
    assert listed["cause"] == "past riders.deliver: the authorization has expired"
    assert (listed["to_collect"], listed["owed"]) == ({"amount": 2_500, "currency": "EUR"}, None)
    shown = town.owner.get(f"/v1/dead-letters/{unpaid}").json()
    assert shown["to_collect"] == listed["to_collect"]
    assert shown["undoes"][-1] == "payments.void"
    served = {"CONVEYOR_SERVER": server.url, "CONVEYOR_API_KEY": server.local_key}
    listing = CliRunner().invoke(main, ["dead-letters", "list"], env=served).output
    assert "to collect" in listing
    assert "EUR 25.00" in next(line for line in listing.splitlines() if unpaid in line)
    said = CliRunner().invoke(main, ["dead-letters", "show", unpaid], env=served).output
    assert "Its customer is still to pay EUR 25.00: it was delivered." in said


def test_a_delivered_meal_is_written_off_and_not_compensated(town: Town, unpaid: str) -> None:
    because = {"reason": "the customer has moved away"}
    refused = town.owner.post(f"/v1/dead-letters/{unpaid}/compensate", json=because)
    problem = problem_of(refused, 409)
    assert problem["code"] == "too_late"
    assert "discard it with a reason" in problem["detail"]
    given_up = town.owner.post(f"/v1/dead-letters/{unpaid}/discard", json=because)
    assert given_up.status_code == 202
    assert given_up.json()["did"] == "discarded"
    assert given_up.json()["steps"][-1] == "payments.void"
    assert town.ends(unpaid, "cancelled")["reason"] == because["reason"]
    assert town.owner.get("/v1/dead-letters").json()["orders"] == []
