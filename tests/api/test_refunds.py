"""The money of completed orders goes back, and nothing else does, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from tests.api.archiving import archive_all, orders_of_all_flows
from tests.api.on_each import EACH, server_on
from tests.api.serving import Server, order_of, paid_by, place, problem_of, stock_up, wait_for
from tests.servers.waiting import wait_until

from conveyor.core.tables import detached_months
from conveyor.operations.faults import faults_of

SETTINGS: dict[str, Any] = {
    "food_pace_seconds": 0.05,
    "renewal_scan_seconds": 0.05,
    "delivery_delay_seconds": 0,
    "max_receives": 1,
}
DELIVERED = ("bought", "eaten", "flown", "renewed")
WHY = {"reason": "arrived broken"}


@pytest.fixture(scope="module", params=EACH)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("refunds")
    settings = {**SETTINGS, "archive": str(home / "archive")}
    with server_on(request, request.param, home, **settings) as running:
        yield running


@pytest.fixture
def client(server: Server) -> httpx.Client:
    """One of a merchant's own, who has CDs to sell."""
    mine = server.client_of(f"m{next(_NUMBERS)}")
    stock_up(mine)
    return mine


_NUMBERS = iter(range(1_000))


@contextmanager
def failing(server: Server) -> Iterator[None]:
    """Let the payment provider answer every request with an error."""
    (fault,) = (it for it in faults_of(server.app) if it.name == "payments-failing")
    fault.switch(on=True)
    try:
        yield
    finally:
        fault.switch(on=False)


def refund(client: httpx.Client, order_id: str) -> httpx.Response:
    return client.post(f"/v1/orders/{order_id}/refund", json=WHY)


def story_of(client: httpx.Client, order_id: str) -> dict[str, Any]:
    story: dict[str, Any] = client.get(f"/v1/orders/{order_id}/explain").json()
    return story


def completed(client: httpx.Client) -> str:
    order_id = place(client)
    wait_for(client, order_id, "completed")
    return order_id


def check_audit(client: httpx.Client) -> None:
    audit = client.get("/v1/audit").json()
    assert audit["clean"], [it for it in audit["checks"] if it["violations"]]


def check_refunded(client: httpx.Client, order_id: str) -> None:
    """Have a completed order refunded, and see what became of it and what did not."""
    before = story_of(client, order_id)
    (choice,) = before["choices"]
    assert choice["what"] == "refund"
    assert choice["does"].startswith("runs payments.refund, gives all of its "), choice

    answer = refund(client, order_id)
    assert answer.status_code == 202, answer.text
    wait_for(client, order_id, "refunded")

    after, total = story_of(client, order_id), before["order"]["total"]
    payment = after["payment"]
    assert answer.json()["returned"] == payment["captured"] == payment["refunded"] == total
    assert after["facts"] == before["facts"]
    assert (after["choices"], after["waits_for"]) == ([], None)
    told = after["sentences"]
    assert any("its money is to be given back: arrived broken" in it for it in told), told
    assert any(it.endswith("everything else stays") for it in told), told
    assert [it["undo"] for it in after["slip"] if it["state"] == "undone"] == ["payments.refund"]
    (line,) = client.get(f"/v1/operators/log?order={order_id}").json()["actions"]
    assert (line["action"], line["why"]) == ("orders.refund", "arrived broken")


def test_orders_of_all_flows_are_refunded_and_keep_what_they_brought(server: Server) -> None:
    client = server.client_of("default")
    placed = orders_of_all_flows(client)
    for name in DELIVERED:
        check_refunded(client, placed[name])
    check_audit(client)
    (found,) = client.get("/v1/orders?status=refunded&reference=bought").json()["orders"]
    assert found["id"] == placed["bought"]
    assert client.get("/v1/summary").json()["by_status"]["refunded"] == len(DELIVERED)
    # It is at its end, and goes into the archive as any other.
    archive_all(client, datetime.now(UTC).isoformat())
    shown = client.get(f"/v1/orders/{placed['bought']}").json()
    assert (shown["status"], bool(shown["archived"])) == ("refunded", True)
    check_audit(client)
    refused = problem_of(refund(client, placed["bought"]), 409)
    assert refused["code"] == "not_refundable"
    assert "in the archive" in refused["detail"]


def test_who_asks_twice_is_answered_the_same(client: httpx.Client) -> None:
    order_id = completed(client)
    first, second = refund(client, order_id).json(), refund(client, order_id)
    assert second.status_code == 202
    assert {**first, "status": "", "steps": []} == {**second.json(), "status": "", "steps": []}
    wait_for(client, order_id, "refunded")
    third = refund(client, order_id).json()
    assert third == {**first, "status": "refunded", "steps": []}
    assert story_of(client, order_id)["payment"]["refunded"] == 2354
    entries = client.get(f"/v1/orders/{order_id}/timeline").json()["entries"]
    assert [it["event"] for it in entries].count("refund_asked") == 1


def test_what_cannot_be_refunded_says_why(server: Server, client: httpx.Client) -> None:
    free = place(client, order_of(items=[{"sku": "CD", "quantity": 1, "unit_price": 0}], total=0))
    wait_for(client, free, "completed")
    refused = problem_of(refund(client, free), 409)
    assert refused["code"] == "not_refundable"
    assert "free of charge" in refused["detail"]
    assert story_of(client, free)["choices"] == []

    undone = place(client, paid_by("card_declined"))
    wait_for(client, undone, "refused")
    assert problem_of(refund(client, undone), 409)["code"] == "not_completed"
    parked = place(client, paid_by("card_down"))
    wait_for(client, parked, "parked")
    refused = problem_of(refund(client, parked), 409)
    assert refused["code"] == "not_completed"
    assert "still on its way" in refused["detail"]

    mine = completed(client)
    problem_of(server.client_of("neighbour").post(f"/v1/orders/{mine}/refund", json=WHY), 404)
    problem_of(refund(client, "01KDVXQG0053EJ2M8Q4N7T6WAB"), 404)
    for scopes in (["read"], ["place"]):
        key = client.post("/v1/keys", json={"scopes": scopes}).json()["key"]
        problem_of(server.client(key).post(f"/v1/orders/{mine}/refund", json=WHY), 403)
    problem_of(client.post(f"/v1/orders/{mine}/refund", json={"reason": ""}), 422)
    assert client.get(f"/v1/orders/{mine}").json()["status"] == "completed"


def test_whom_it_has_called_must_be_known(server: Server, client: httpx.Client) -> None:
    order_id = completed(client)
    alone = sa.insert(detached_months).values(
        name="2026-01", since=order_id, until=f"{order_id}0", detached_at=1
    )
    server.run(server.app.parts.database.run(lambda tx: tx.execute(alone)))
    refused = problem_of(refund(client, order_id), 409)
    assert refused["code"] == "not_refundable"
    assert "Its calls were detached (2026-01)" in refused["detail"]


def test_what_the_provider_does_not_give_back_waits_for_an_operator(
    server: Server, client: httpx.Client
) -> None:
    order_id = completed(client)
    with failing(server):
        assert refund(client, order_id).status_code == 202
        wait_for(client, order_id, "parked")
        assert refund(client, order_id).json()["status"] == "parked"
        told = story_of(client, order_id)
        assert [it["what"] for it in told["choices"]] == ["redrive", "discard"]
        assert "its USD 23.54 are kept" in told["choices"][1]["does"]
        late = problem_of(client.post(f"/v1/orders/{order_id}/cancel"), 409)
        assert "its money is given back" in late["detail"]
        owed = client.get(f"/v1/dead-letters/{order_id}").json()
        assert (owed["owed"]["amount"], owed["undoes"]) == (2354, ["payments.refund"])
        check_audit(client)
    assert client.post(f"/v1/dead-letters/{order_id}/redrive").status_code == 202
    wait_for(client, order_id, "refunded")
    check_audit(client)


def test_a_refund_that_is_given_up_leaves_the_order_completed(
    server: Server, client: httpx.Client
) -> None:
    order_id = completed(client)
    with failing(server):
        refund(client, order_id)
        wait_for(client, order_id, "parked")
    path = f"/v1/dead-letters/{order_id}/discard"
    assert client.post(path, json={"reason": "paid in cash"}).status_code == 202
    order = client.get(f"/v1/orders/{order_id}").json()
    assert (order["status"], order["reason"]) == ("completed", "")
    payment = story_of(client, order_id)["payment"]
    assert (payment["captured"], payment["refunded"]) == (2354, 0)
    check_audit(client)
    assert refund(client, order_id).status_code == 202
    wait_for(client, order_id, "refunded")
    check_audit(client)


def test_what_many_would_come_to_is_said_first(client: httpx.Client) -> None:
    fine, declined = completed(client), place(client, paid_by("card_declined"))
    wait_for(client, declined, "refused")
    path = "/v1/orders/preview?action=refund"
    judged = {it["id"]: it for it in client.get(path).json()["orders"]}
    assert (judged[fine]["would"], judged[declined]["would"]) == ("accepted", "not_completed")
    assert "gives all of its USD 23.54 back" in judged[fine]["does"]
    refund(client, fine)
    look = client.get(path).json()["orders"]
    assert next(it["would"] for it in look if it["id"] == fine) == "already"


def test_a_summary_that_is_remembered_knows_of_a_refund(client: httpx.Client) -> None:
    order_id = completed(client)
    assert client.get("/v1/summary").json()["by_status"] == {"completed": 1}
    refund(client, order_id)
    summary = wait_until(
        lambda: client.get("/v1/summary").json(), lambda it: it["by_status"] == {"refunded": 1}
    )
    assert summary["refunded"] == {"USD": 2354}
