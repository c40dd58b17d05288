"""The same API on PostgreSQL, which is stricter about texts and sorts them in its own way."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from tests.api.on_each import server_on
from tests.api.pausing import check_pausing
from tests.api.serving import (
    fields_of,
    order_of,
    paid_by,
    place,
    problem_of,
    stock_up,
    wait_for,
)


@pytest.fixture(scope="module")
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a system on PostgreSQL."""
    data = tmp_path_factory.mktemp("postgres")
    with server_on(request, "postgres", data) as server:
        client = server.client_of("default")
        stock_up(client)
        yield client


def test_an_order_goes_through_and_is_told_about(client: httpx.Client) -> None:
    order_id = place(client)
    wait_for(client, order_id, "completed")
    story = client.get(f"/v1/orders/{order_id}/explain").json()
    assert story["payment"]["captured"] == 2354
    assert len(client.get(f"/v1/orders/{order_id}/timeline").json()["entries"]) > 5
    assert order_id in {order["id"] for order in client.get("/v1/orders").json()["orders"]}
    assert client.get("/v1/audit").json()["clean"] is True


def test_the_summary_takes_a_prefix_as_it_is_written(client: httpx.Client) -> None:
    for key in ("a-b:1", "a-b:2", "A-B:3", "ab:4", "a-b;5"):
        wait_for(client, place(client, key=key), "completed")
    summary = client.get("/v1/summary", params={"key_prefix": "a-b:"}).json()
    assert (summary["placed"], summary["open"]) == (2, 0)
    assert summary["captured"] == {"USD": 4708}


def test_what_is_parked_is_listed_and_decided_about(client: httpx.Client) -> None:
    order_id = place(client, paid_by("card_down"))
    wait_for(client, order_id, "parked")
    listed = client.get("/v1/dead-letters").json()["orders"]
    assert order_id in {one["id"] for one in listed}
    answer = client.post(f"/v1/dead-letters/{order_id}/discard", json={"reason": "a test"})
    assert answer.status_code == 202
    assert client.get(f"/v1/orders/{order_id}").json()["status"] == "cancelled"


def test_no_text_makes_it_stumble(client: httpx.Client) -> None:
    problem_of(client.get("/v1/orders/%00"), 404)
    problem_of(client.get("/v1/dead-letters/%00"), 404)
    problem_of(client.delete("/v1/keys/%00"), 404)
    problem_of(client.post("/v1/orders/%00/retry"), 404)
    for way in ("pause", "resume"):
        asked = client.post(f"/v1/services/%00/{way}", json={"reason": "none"})
        assert fields_of(asked) == {"name"}
    asked = client.get("/v1/archive/orders", params={"reference": "\x00"})
    assert fields_of(asked) == {"reference"}
    for before in ("\x00", "9999-12-31T23:59:59.999999-23:59", "2026-13-01"):
        assert fields_of(client.post("/v1/archive", json={"before": before})) == {"before"}
    problem_of(client.post("/v1/archive", json={"before": "0001-01-01"}), 409)
    for path, name in (("/v1/orders", "flow"), ("/v1/orders", "cursor"), ("/v1/stock", "cursor")):
        assert fields_of(client.get(path, params={name: "\x00"})) == {name}
    assert fields_of(client.get("/v1/summary", params={"key_prefix": "\x00"})) == {"key_prefix"}
    assert fields_of(client.put("/v1/stock/%00", json={"available": 1})) == {"sku"}
    assert fields_of(client.post("/v1/orders", json=order_of(reference="\x00"))) == {"reference"}
    odd = order_of(reference="\N{SNOWMAN}\U0010ffff", metadata={"\ufffe": "\u202e"})
    assert client.get(f"/v1/orders/{place(client, odd)}").json()["metadata"] == {"\ufffe": "\u202e"}


def test_a_subscription_that_is_behind_waits_until_somebody_catches_up(
    client: httpx.Client,
) -> None:
    plan = {"price": 999, "currency": "USD"}
    client.put("/v1/plans/monthly", json=plan).raise_for_status()
    old = {"id": "old", "customer": "c", "plan": "monthly", "card": "card_ok"}
    paid = {"starts": "2020-01-31", "paid_until": "2020-02-29"}
    client.post("/v1/subscriptions", json=old | paid).raise_for_status()
    due = client.get("/v1/renewals/due").json()
    assert (due["due"], due["behind"]) == (0, 1)
    assert client.post("/v1/renewals/run", json={}).json()["started"] == 0
    done = client.post("/v1/renewals/run", json={"catch_up": True}).json()
    assert done["started"] == 1
    again = client.post("/v1/renewals/run", json={"catch_up": True, "run": done["run"]}).json()
    assert again["started"] == 0
    assert client.get("/v1/renewals").json()["due"] == 0


def test_a_service_is_paused_and_goes_on(client: httpx.Client) -> None:
    check_pausing(client)
