"""Flights and hotel nights over HTTP: set, imported, looked at; and journeys that book them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.serving import MERCHANT, Server, fields_of, place, problem_of, wait_for
from tests.flows.travel_driver import STUCK, flight, hotel, journey, make_stuck

PATH = "/v1/resources"
UA1545 = f"{PATH}/flight/UA1545/2013-01-01"


@pytest.fixture
def client(tmp_path: Path) -> Any:
    with Server(tmp_path) as server:
        yield server.client()


def offer(client: httpx.Client, path: str = UA1545, **body: Any) -> Any:
    answer = client.put(path, json={"capacity": 2, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_resource_says_what_is_free_of_it(client: httpx.Client) -> None:
    given = offer(client, capacity=20, overbooking=5, description="EWR to IAH")
    assert (given["free"], given["held"], given["description"]) == (21, 0, "EWR to IAH")
    wait_for(client, place(client, journey(flight(quantity=2))), "completed")
    seen = client.get(UA1545).json()
    assert (seen["booked"], seen["free"], seen["waiting"]) == (2, 19, 0)
    assert client.get(PATH).json() == {"resources": [seen], "next": None}


def test_there_cannot_be_less_than_is_given_away(client: httpx.Client) -> None:
    offer(client)
    wait_for(client, place(client, journey(flight(quantity=2))), "completed")
    problem = problem_of(client.put(UA1545, json={"capacity": 1}), 409)
    assert problem["code"] == "given_away"
    assert client.get(UA1545).json()["capacity"] == 2
    assert offer(client, capacity=1, overbooking=100)["free"] == 0


def test_many_are_imported_or_none(client: httpx.Client) -> None:
    rows = [
        {"kind": "flight", "name": f"F{n}", "date": "2013-01-01", "capacity": n} for n in range(3)
    ]
    answer = client.post(f"{PATH}/import", json={"resources": rows})
    assert answer.json() == {"resources": 3}
    first = client.get(PATH, params={"limit": 2, "kind": "flight"}).json()
    rest = client.get(PATH, params={"cursor": first["next"]}).json()
    names = [one["name"] for one in first["resources"] + rest["resources"]]
    assert names == ["F0", "F1", "F2"]
    assert client.get(PATH, params={"kind": "hotel"}).json()["resources"] == []
    wrong = [*rows, {**rows[0], "name": "F9", "date": "2013-02-30"}]
    assert fields_of(client.post(f"{PATH}/import", json={"resources": wrong})) == {
        "resources.3.date"
    }


def test_another_merchant_sees_and_takes_none_of_it(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        offer(server.client())
        other = server.client_of("other")
        problem_of(other.get(UA1545), 404)
        order_id = place(other, journey())
        assert wait_for(other, order_id, "refused")["reason"] == "unknown: flight/UA1545/2013-01-01"
        assert MERCHANT != "other"


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"legs": []}, {"legs"}),
        ({"legs": [{"date": "2013-01-01"}]}, {"legs.0"}),
        ({"legs": [{**flight(), "hotel": "Astoria"}]}, {"legs.0"}),
        ({"legs": [flight(nights=2)]}, {"legs.0"}),
        ({"legs": [flight(date="2013-02-30")]}, {"legs.0.date"}),
        ({"legs": [flight(quantity=0)]}, {"legs.0.quantity"}),
        ({"legs": [flight(unit_price=5), hotel()]}, {"legs"}),
        ({"legs": [flight(unit_price=5)]}, {"total"}),
        ({"total": None}, {"total"}),
        ({"items": [{"sku": "CD", "quantity": 1}]}, {"items"}),
        ({"waitlist": "yes"}, {"waitlist"}),
    ],
)
def test_a_journey_that_is_wrong_names_the_field(
    client: httpx.Client, change: dict[str, Any], fields: set[str]
) -> None:
    assert fields_of(client.post("/v1/orders", json=journey() | change)) == fields


def test_a_journey_is_added_up_and_each_night_counts(client: httpx.Client) -> None:
    offer(client)
    for night in (1, 2):
        offer(client, f"{PATH}/hotel/Astoria/2013-01-0{night}")
    legs = flight(quantity=2, unit_price=10_000), hotel(nights=2, unit_price=9_000)
    body = {**journey(*legs), "total": None}
    order = wait_for(client, place(client, body), "completed")
    assert order["total"] == 2 * 10_000 + 2 * 9_000
    text = client.get(f"/v1/orders/{order['id']}/explain").json()
    assert "2 seats of flight UA1545 on 2013-01-01" in str(text)


def test_what_a_parked_booking_holds_back_is_told(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        client = server.client()
        offer(client)
        make_stuck(server.app)
        stuck = place(client, journey(reference=STUCK))
        behind = [place(client, journey()) for _ in range(2)]
        wait_for(client, stuck, "parked")
        [letter] = client.get("/v1/dead-letters").json()["orders"]
        assert (letter["id"], letter["holds_back"]) == (stuck, 2)
        assert {client.get(f"/v1/orders/{i}").json()["status"] for i in behind} == {"processing"}
        metrics = client.get("/metrics").text
        assert "conveyor_groups_blocked 1.0" in metrics
        assert "conveyor_orders_blocked 2.0" in metrics
        assert stuck not in metrics
        assert "UA1545" not in metrics
