"""What is asked of erasing a customer, on any database."""

from __future__ import annotations

from typing import Any

import httpx
from tests.api.operators import log_of
from tests.api.serving import Server, order_of, place, wait_for
from tests.flows.canaries import found_in, with_canaries

CUSTOMER = "canary-7"


def check_erasure(server: Server, client: httpx.Client, canaries_left: Any) -> None:
    """Let a customer order, be forgotten, and see what is left; `canaries_left` looks at all."""
    model = server.app.installed.bodies.model("shop")
    body, canaries = with_canaries(model, order_of())
    canaries -= {body["customer"]["id"]}
    body["customer"]["id"] = CUSTOMER
    done = [place(client, body, key=f"erased-{number}") for number in range(2)]
    other = place(client, order_of())
    for order_id in (*done, other):
        wait_for(client, order_id, "completed")
    left = canaries_left(canaries)
    assert canaries == left, canaries ^ left

    path, asked = "/v1/customers/erase", {"customer": CUSTOMER}
    said = client.post(path, params={"why": "she asked for it"}, json=asked)
    assert said.status_code == 200, said.text
    assert said.json() == {"customer": CUSTOMER, "erased": 2, "erased_before": 0, "kept": []}
    again = client.post(path, json=asked).json()
    assert (again["erased"], again["erased_before"]) == (0, 2)

    assert canaries_left(canaries) == set()
    for order_id in done:
        check_books(client, order_id, body, canaries)
    assert client.get(f"/v1/orders/{other}").json()["customer"]["email"] == "a@example.com"
    # It is not placed a second time, though nobody can tell any more that it is the same.
    answer = client.post("/v1/orders", json=body, headers={"idempotency-key": "erased-0"})
    assert answer.json()["code"] == "key_reused"
    newest = log_of(client, action="customers.erase")[-1]
    assert (newest["subject"], newest["why"]) == (CUSTOMER, "she asked for it")
    assert newest["detail"] == {"orders": 2, "kept": 0}
    audit = client.get("/v1/audit").json()
    assert audit["clean"], audit


def check_books(
    client: httpx.Client, order_id: str, body: dict[str, Any], canaries: set[str]
) -> None:
    """See that its books are kept, and that its story says what became of the rest."""
    shown = client.get(f"/v1/orders/{order_id}").json()
    assert (shown["total"], shown["reference"]) == (body["total"], body["reference"])
    assert shown["customer_id"] == CUSTOMER
    assert shown["payment"]["method"] == "erased"
    told = client.get(f"/v1/orders/{order_id}/explain").json()
    assert found_in([str(told)], canaries) == set()
    assert any("erased on 20" in sentence for sentence in told["sentences"])


def check_what_is_under_way(client: httpx.Client) -> None:
    """An order that awaits its delivery keeps its address, and is named."""
    order_id = place(client, order_of(customer={"id": "waiting", "email": "w@example.com"}))
    wait_for(client, order_id, "awaiting")
    said = client.post("/v1/customers/erase", json={"customer": "waiting"}).json()
    assert said["erased"] == 0
    assert said["kept"] == [{"what": f"order {order_id}", "why": "is still under way"}]
    assert client.get(f"/v1/orders/{order_id}").json()["customer"]["email"] == "w@example.com"
