"""Looking at orders, page by page and one by one, and cancelling them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.api.serving import Server, fields_of, order_of, paid_by, place, problem_of, wait_for
from tests.servers.waiting import wait_until

Start = Callable[..., Server]
NOBODYS = "01KDVXQG0053EJ2M8Q4N7T6WAB"
ONE = {"sku": "CD", "quantity": 1, "unit_price": 1177}
A_TIME = "2026-01-01T12:00:00+01:00"
PARTS = ("", "/timeline", "/explain")


def test_orders_are_listed_newest_first_and_page_by_page(server: Server) -> None:
    client = server.client_of("pages")
    placed = [place(client) for _ in range(5)]
    seen, cursor = [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = client.get("/v1/orders", params=query).json()
        seen += [order["id"] for order in page["orders"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == sorted(placed, reverse=True)


@pytest.mark.parametrize(
    ("path", "name"),
    [("/v1/orders", "referense"), ("/v1/stock", "q"), ("/v1/summary", "limit")],
)
def test_a_misspelt_parameter_is_not_passed_over(server: Server, path: str, name: str) -> None:
    """It would be answered with everything, as if it had matched."""
    answer = server.client().get(path, params={name: "x"})

    assert fields_of(answer) == {name}


def test_orders_are_found_by_status_and_flow(server: Server) -> None:
    client = server.client_of("filters")
    refused, completed = place(client, paid_by("card_declined")), place(client)
    server.client_of("filters").put("/v1/stock/CD", json={"available": 10})
    wait_for(client, refused, "refused")
    wait_for(client, completed, "completed", "refused")

    def ids(**query: str) -> set[str]:
        found = client.get("/v1/orders", params=query).json()["orders"]
        return {order["id"] for order in found}

    assert refused in ids(status="refused")
    assert ids(flow="shop") == {refused, completed}
    assert ids(flow="food") == ids(status="parked") == set()


def test_orders_are_found_by_what_their_sender_knows_of_them(server: Server) -> None:
    client, other = server.client_of("senders"), server.client_of("other senders")
    bodies = [
        order_of(reference=f"r{n % 2}", customer={"id": f"c{n // 2}"}, items=[ONE], total=None)
        for n in range(4)
    ]
    placed = [place(client, body) for body in bodies]
    place(other, bodies[0])

    def found(**query: str) -> list[int]:
        answer = client.get("/v1/orders", params=query)
        return sorted(placed.index(one["id"]) for one in answer.json()["orders"])

    times = [client.get(f"/v1/orders/{one}").json()["placed_at"] for one in placed]
    third = sorted(times)[2]
    assert found(reference="r1") == [1, 3]
    assert found(customer="c1") == [2, 3]
    assert found(reference="r0", customer="c1") == [2]
    assert found(reference="") == found(customer="c9") == found(reference="r") == []
    late = [n for n, at in enumerate(times) if at >= third]
    assert found(placed_after=third) == late
    assert found(placed_before=third) == [n for n in range(4) if n not in late]
    assert found(placed_after="1500-01-01T00:00:00Z", placed_before=A_TIME) == []
    assert found(placed_before="9999-12-31T23:59:59Z") == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"status": "lost"}, "status"),
        ({"cursor": "\x00"}, "cursor"),
        ({"flow": "a\x00"}, "flow"),
        ({"customer": ""}, "customer"),
        ({"placed_after": "yesterday"}, "placed_after"),
        ({"placed_before": "2026-01-01T12:00:00"}, "placed_before"),  # whose noon?
    ],
)
def test_a_wrong_parameter_is_named(client: httpx.Client, query: Any, field: str) -> None:
    assert fields_of(client.get("/v1/orders", params=query)) == {field}


@pytest.mark.parametrize("part", PARTS)
def test_another_merchants_order_does_not_exist(
    server: Server, client: httpx.Client, part: str
) -> None:
    path = f"/v1/orders/{place(client)}{part}"
    assert client.get(path).status_code == 200
    problem_of(server.client_of("acme").get(path), 404)
    assert server.client().get(path).status_code == 200  # whoever owns the data sees all


def test_another_merchants_orders_are_not_listed(server: Server, client: httpx.Client) -> None:
    order_id = place(client)
    found = server.client_of("nobody").get("/v1/orders").json()
    assert found == {"orders": [], "next": None}
    problem_of(server.client_of("acme").post(f"/v1/orders/{order_id}/cancel"), 404)


@pytest.mark.parametrize("order_id", [NOBODYS, "a", "%00", "..%2f", "\N{GRINNING FACE}" * 30])
@pytest.mark.parametrize("part", PARTS)
def test_an_order_that_nobody_placed_is_not_found(
    client: httpx.Client, order_id: str, part: str
) -> None:
    problem_of(client.get(f"/v1/orders/{order_id}{part}"), 404)


def test_the_timeline_tells_every_step_in_order(client: httpx.Client) -> None:
    order_id = place(client)
    wait_for(client, order_id, "completed")
    timeline = client.get(f"/v1/orders/{order_id}/timeline").json()
    done = [entry["step"] for entry in timeline["entries"] if entry["event"] == "done"]
    assert done == [
        "payments.authorize",
        "inventory.reserve",
        "payments.capture",
        "shipping.ship",
        "orders.complete",
    ]
    assert timeline["entries"][0]["event"] == "placed"
    assert timeline["entries"][-1]["event"] == "completed"
    assert "a@example.com" not in str(timeline)


def test_a_story_tells_each_thing_at_its_time(start: Start) -> None:
    client = start("orders", "payments", max_receives=8, backoff_base_seconds=0.1).client()
    order_id = place(client, paid_by("card_unanswered"))
    _wait_for_step(client, order_id, "inventory.reserve")
    story = client.get(f"/v1/orders/{order_id}/explain").json()
    events = [event for event in story["events"] if event["step"] == "payments.authorize"]
    assert [e["event"] for e in events] == ["called", "unknown", "call_ended", "done"]
    assert [e["at"] for e in events] == sorted(e["at"] for e in events)
    called, unknown, ended, _ = (event["says"] for event in events)
    assert called.endswith(f"(idempotency key {order_id}/payments.authorize/1)")
    assert "the outcome is unknown, try 1" in unknown
    assert ended == "payments.authorize: call 1 was answered"


def test_cancelling_before_anything_was_paid_has_nothing_to_return(start: Start) -> None:
    client = start().client()
    order_id = place(client)
    answer = client.post(f"/v1/orders/{order_id}/cancel", json={"reason": "ordered twice"})
    assert answer.status_code == 202
    assert answer.json() == {"outcome": "nothing_to_return", "status": "cancelled", "steps": []}
    order = client.get(f"/v1/orders/{order_id}").json()
    assert (order["status"], order["reason"]) == ("cancelled", "ordered twice")


def test_cancelling_what_is_authorized_voids_it(start: Start) -> None:
    client = start("orders", "payments").client()
    order_id = place(client)
    _wait_for_step(client, order_id, "inventory.reserve")
    answer = client.post(f"/v1/orders/{order_id}/cancel")
    steps = ["payments.void"]
    assert answer.json() == {"outcome": "void", "status": "compensating", "steps": steps}
    wait_for(client, order_id, "cancelled")
    payment = client.get(f"/v1/orders/{order_id}/explain").json()["payment"]
    assert (payment["voided"], payment["captured"]) == (True, 0)
    again = client.post(f"/v1/orders/{order_id}/cancel")
    assert again.status_code == 202
    assert again.json() == {"outcome": "void", "status": "cancelled", "steps": []}


def test_cancelling_what_is_captured_refunds_it(start: Start) -> None:
    client = start("orders", "payments", "inventory").client()
    order_id = place(client)
    _wait_for_step(client, order_id, "shipping.ship")
    steps = ["payments.refund", "inventory.release", "payments.void"]
    answer = client.post(f"/v1/orders/{order_id}/cancel")
    assert answer.json() == {"outcome": "refund", "status": "compensating", "steps": steps}
    wait_for(client, order_id, "cancelled")
    payment = client.get(f"/v1/orders/{order_id}/explain").json()["payment"]
    assert payment["captured"] == payment["refunded"] == 2354
    assert client.get("/v1/stock").json()["stock"][0]["reserved"] == 0


def test_why_it_is_cancelled_is_kept_while_a_call_is_open(start: Start) -> None:
    client = start("orders", "payments", payment_latency_seconds=1.5).client()
    order_id = place(client)
    path = f"/v1/orders/{order_id}"
    wait_until(lambda: client.get(f"{path}/explain").json()["calls"], bool)
    answer = client.post(f"{path}/cancel", json={"reason": "ordered twice"})
    assert answer.json()["status"] == "processing"
    order = client.get(path).json()
    assert (order["cancelling"], order["reason"]) == (True, "ordered twice")
    assert wait_for(client, order_id, "cancelled")["reason"] == "ordered twice"


def test_cancelling_what_is_with_the_carrier_is_too_late(start: Start) -> None:
    client = start(
        "orders", "payments", "inventory", "shipping", delivery_delay_seconds=9e3
    ).client()
    order_id = place(client)
    wait_for(client, order_id, "awaiting")
    problem = problem_of(client.post(f"/v1/orders/{order_id}/cancel"), 409)
    assert problem["code"] == "too_late"
    assert "shipping.ship has begun" in problem["detail"]


def test_cancelling_what_is_at_its_end_is_too_late(client: httpx.Client) -> None:
    refused = place(client, paid_by("card_declined"))
    wait_for(client, refused, "refused")
    completed = place(client)
    wait_for(client, completed, "completed")
    for order_id, why in ((refused, "card declined"), (completed, "completed")):
        assert why in problem_of(client.post(f"/v1/orders/{order_id}/cancel"), 409)["detail"]


def test_a_reason_is_a_line_of_text(client: httpx.Client) -> None:
    path = f"/v1/orders/{NOBODYS}/cancel"
    assert fields_of(client.post(path, json={"reason": "a\x00"})) == {"reason"}
    assert fields_of(client.post(path, json={"why": "because"})) == {"why"}
    problem_of(client.post(path, content=b'{"reason": "\\udfff"}'), 400)
    problem_of(client.post(path, json={"reason": "x"}), 404)


def _wait_for_step(client: httpx.Client, order_id: str, step: str) -> None:
    wait_until(
        lambda: client.get(f"/v1/orders/{order_id}").json(), lambda order: order["step"] == step
    )


def test_an_order_shows_the_step_it_is_owed(start: Start) -> None:
    client = start().client()
    order = client.get(f"/v1/orders/{place(client, order_of())}").json()
    assert (order["status"], order["step"]) == ("processing", "payments.authorize")
