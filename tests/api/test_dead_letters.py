"""Dead letters: parked orders and poison, and what an operator decides about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.api.serving import Server, fields_of, paid_by, place, problem_of, wait_for
from tests.servers.waiting import wait_until

from conveyor.core.queue import Outgoing
from conveyor.entrypoints.cli.dead_letters import _show_list
from conveyor.operations.dead_letters import MAX_PEEKED

Start = Callable[..., Server]
BECAUSE = {"reason": "looked into it"}


def test_a_parked_order_is_listed_with_its_cause_and_shown_with_its_traceback(
    server: Server,
) -> None:
    client = server.client_of("parked")
    order_id = _park(client, "card_down")
    (listed,) = client.get("/v1/dead-letters").json()["orders"]
    assert listed["id"] == order_id
    assert listed["step"] == "payments.authorize"
    assert "provider unavailable" in listed["cause"]
    assert listed["owed"] is None
    shown = client.get(f"/v1/dead-letters/{order_id}").json()
    assert "Traceback" in shown["traceback"] or "NotAppliedError" in shown["traceback"]
    assert shown["undoes"] == []
    assert order_id not in str(server.client_of("acme").get("/v1/dead-letters").json())
    problem_of(server.client_of("acme").get(f"/v1/dead-letters/{order_id}"), 404)


def test_parked_orders_come_page_by_page(server: Server) -> None:
    client = server.client_of("parked-pages")
    placed = sorted(_park(client, "card_down") for _ in range(3))
    first = client.get("/v1/dead-letters", params={"limit": 2}).json()
    rest = client.get("/v1/dead-letters", params={"limit": 2, "cursor": first["next"]}).json()
    assert [one["id"] for one in first["orders"] + rest["orders"]] == placed
    assert rest["next"] is None


def test_a_redriven_order_takes_its_step_again(client: httpx.Client) -> None:
    order_id = _park(client, "card_unanswered")
    answer = client.post(f"/v1/dead-letters/{order_id}/redrive")
    assert answer.status_code == 202
    assert answer.json() == {"kind": "order", "id": order_id, "did": "redriven", "steps": []}
    _wait_for_parked_capture(client, order_id)
    client.post(f"/v1/dead-letters/{order_id}/redrive")
    wait_for(client, order_id, "completed")


def test_a_compensated_order_is_undone(client: httpx.Client) -> None:
    order_id = _park(client, "card_unanswered")
    client.post(f"/v1/dead-letters/{order_id}/redrive")
    _wait_for_parked_capture(client, order_id)
    answer = client.post(f"/v1/dead-letters/{order_id}/compensate", json=BECAUSE)
    assert answer.json()["did"] == "compensating"
    assert answer.json()["steps"][-1] == "payments.void"
    wait_for(client, order_id, "cancelled")
    payment = client.get(f"/v1/orders/{order_id}/explain").json()["payment"]
    assert payment["captured"] == payment["refunded"]


def test_an_order_of_which_nothing_is_left_to_undo_is_discarded(client: httpx.Client) -> None:
    order_id = _park(client, "card_down")
    answer = client.post(f"/v1/dead-letters/{order_id}/discard", json=BECAUSE)
    assert answer.json()["did"] == "discarded"
    order = client.get(f"/v1/orders/{order_id}").json()
    assert (order["status"], order["reason"]) == ("cancelled", "looked into it")
    problem_of(client.get(f"/v1/dead-letters/{order_id}"), 404)


def test_an_order_with_something_to_undo_is_not_discarded(client: httpx.Client) -> None:
    order_id = _park(client, "card_unanswered")
    answer = client.post(f"/v1/dead-letters/{order_id}/discard", json=BECAUSE)
    assert problem_of(answer, 409)["code"] == "still_owes"
    assert client.get(f"/v1/orders/{order_id}").json()["status"] == "parked"


def test_the_story_tells_who_decided(server: Server) -> None:
    owner = server.client_of("deciding")
    made = owner.post("/v1/keys", json={"scopes": ["operate"], "label": "night shift"}).json()
    night, by = server.client(made["key"]), f"night shift (key {made['id']})"
    order_id = place(owner, paid_by("card_down"))
    for decision, body in (("redrive", None), ("compensate", BECAUSE)):
        wait_for(owner, order_id, "parked")
        night.post(f"/v1/dead-letters/{order_id}/{decision}", json=body).raise_for_status()
        if decision == "redrive":
            wait_for(owner, order_id, "parked")
    wait_for(owner, order_id, "cancelled")
    entries = owner.get(f"/v1/orders/{order_id}/timeline").json()["entries"]
    assert [e["detail"]["by"] for e in entries if e["detail"].get("by")] == [by, by]
    told = "\n".join(owner.get(f"/v1/orders/{order_id}/explain").json()["sentences"])
    assert f"an operator let it take its step again (by {by}, from 127.0.0.1)" in told


@pytest.mark.parametrize("what", ["redrive", "compensate", "discard"])
def test_only_parked_orders_of_ones_own_are_decided_about(
    server: Server, client: httpx.Client, what: str
) -> None:
    order_id = place(client)
    wait_for(client, order_id, "completed")
    path = f"/v1/dead-letters/{order_id}/{what}"
    assert problem_of(client.post(path, json=BECAUSE), 409)["code"] == "not_parked"
    problem_of(server.client_of("acme").post(path, json=BECAUSE), 404)
    for unknown in ("01KDVXQG0053EJ2M8Q4N7T6WAB", "no-such-message", "%00"):
        problem_of(client.post(f"/v1/dead-letters/{unknown}/{what}", json=BECAUSE), 404)


def test_a_decision_needs_a_reason(client: httpx.Client) -> None:
    path = "/v1/dead-letters/01KDVXQG0053EJ2M8Q4N7T6WAB/discard"
    assert fields_of(client.post(path, json={})) == {"reason"}
    assert fields_of(client.post(path, json={"reason": ""})) == {"reason"}


def test_a_bad_order_of_the_intake_is_listed_with_the_reason(start: Start) -> None:
    server = start("orders")
    client = server.client_of("default")
    client.post("/v1/intake", json={"orderId": "1", "userId": "U", "items": [], "total": 1})
    (message,) = _poison(client, 1)
    assert message["queue"] == "intake"
    assert "items" in message["cause"]
    assert client.get(f"/v1/dead-letters/{message['id']}").json() == message
    assert server.client_of("acme").get("/v1/dead-letters").json()["messages"] == []
    problem_of(server.client_of("acme").get(f"/v1/dead-letters/{message['id']}"), 404)


def test_a_redriven_message_goes_to_its_queue_and_leaves_the_dead_letters(start: Start) -> None:
    client = start("orders").client()
    client.post("/v1/intake", content=b"{}")
    (message,) = _poison(client, 1)
    answer = client.post(f"/v1/dead-letters/{message['id']}/redrive")
    assert answer.json()["did"] == "redriven"
    (again,) = _poison(client, 1)  # it is as bad as it was, but it did go round
    assert again["id"] != message["id"]
    assert again["body"] == message["body"]


def test_what_is_not_shown_is_counted(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server = start("orders")
    client = server.client()
    dead = server.app.parts.queues.queue("payments-dead")
    server.run(dead.send([Outgoing(f"garbage {n}") for n in range(MAX_PEEKED + 5)]))
    found = client.get("/v1/dead-letters").json()
    assert len(found["messages"]) == MAX_PEEKED
    assert found["not_shown"] == {"payments": 5}
    _show_list(found)
    assert "payments has 5 more" in capsys.readouterr().out


def test_a_discarded_message_is_gone(start: Start) -> None:
    server = start("payments")
    client = server.client()
    server.run(server.app.parts.queues.queue("payments").send([Outgoing("garbage")]))
    (message,) = _poison(client, 1)
    assert (message["queue"], message["body"]) == ("payments", "garbage")
    answer = client.post(f"/v1/dead-letters/{message['id']}/discard", json=BECAUSE)
    assert answer.json() == {
        "kind": "message",
        "id": message["id"],
        "did": "discarded",
        "steps": [],
    }
    assert _poison(client, 0) == []
    problem_of(client.post(f"/v1/dead-letters/{message['id']}/redrive"), 404)


def _park(client: httpx.Client, method: str) -> str:
    # Somebody is answered, if only with a no: who answers nobody is paused, and parks nobody.
    wait_for(client, place(client, paid_by("card_declined")), "refused")
    order_id = place(client, paid_by(method))
    wait_for(client, order_id, "parked")
    return order_id


def _wait_for_parked_capture(client: httpx.Client, order_id: str) -> None:
    """The capture, like the authorization, stays unanswered the first time."""
    wait_until(
        lambda: client.get(f"/v1/orders/{order_id}").json(),
        lambda order: order["status"] == "parked" and order["step"] == "payments.capture",
    )


def _poison(client: httpx.Client, count: int) -> list[Any]:
    found: list[Any] = wait_until(
        lambda: client.get("/v1/dead-letters").json()["messages"],
        lambda messages: len(messages) == count,
    )
    return found
