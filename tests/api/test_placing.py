"""POST /v1/orders: one key, one order, one answer; and what is no order is told why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from tests.api.food import meal
from tests.api.serving import (
    Server,
    fields_of,
    order_of,
    paid_by,
    place,
    problem_of,
    wait_for,
)

from conveyor.commerce.orders import placement
from conveyor.core.tables import orders
from conveyor.entrypoints.http import bodies
from conveyor.entrypoints.http.application import create_http

HOME = {"name": "A. Buyer", "line1": "1 Main Street", "city": "Springfield", "country": "US"}


def test_an_order_is_taken_and_goes_through_to_completed(client: httpx.Client) -> None:
    answer = client.post("/v1/orders", json=order_of())
    assert answer.status_code == 202
    order_id = answer.json()["id"]
    assert answer.headers["location"] == answer.json()["location"] == f"/v1/orders/{order_id}"
    order = wait_for(client, order_id, "completed")
    assert client.get(answer.headers["location"]).json() == order
    assert order["items"] == [{"sku": "CD", "quantity": 2, "unit_price": 1177}]
    assert order["flow"] == "shop"
    assert order["step"] is None
    assert order["shipping"]["city"] == "Springfield"


def test_what_was_answered_is_there_after_a_restart(tmp_path: Path) -> None:
    with Server(tmp_path, services=()) as first:
        order_id = place(first.client())
    with Server(tmp_path, services=()) as second:
        assert second.client().get(f"/v1/orders/{order_id}").json()["version"] == 1


def test_the_same_key_and_body_get_the_same_answer_and_no_second_order(
    client: httpx.Client,
) -> None:
    headers = {"idempotency-key": "same:1"}
    first = client.post("/v1/orders", json=order_of(), headers=headers)
    again = client.post("/v1/orders", json=order_of(), headers=headers)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


def test_the_same_key_with_another_body_is_refused(client: httpx.Client) -> None:
    place(client, key="other:1")
    answer = client.post(
        "/v1/orders", json=order_of(reference="b"), headers={"idempotency-key": "other:1"}
    )
    assert fields_of(answer) == {"Idempotency-Key"}
    assert answer.json()["code"] == "key_reused"


def test_another_merchant_may_use_the_same_key(server: Server, client: httpx.Client) -> None:
    place(client, key="theirs:1")
    place(server.client_of("acme"), order_of(reference="c"), key="theirs:1")


def test_orders_that_look_alike_are_separate_without_a_key(client: httpx.Client) -> None:
    assert place(client) != place(client)


def test_a_key_that_is_being_handled_is_a_conflict(server: Server) -> None:
    key = server.client_of("default").headers["authorization"]

    async def race() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_http(server.app))
        async with httpx.AsyncClient(transport=transport, base_url=server.url) as client:
            # The key is known then: else who asks the database first is done before the other.
            await client.get("/v1/orders", headers={"authorization": key})
            headers = {"authorization": key, "idempotency-key": "race:1"}
            requests = [
                client.post("/v1/orders", json=order_of(), headers=headers) for _ in range(2)
            ]
            return list(await asyncio.gather(*requests))

    answers = server.run(race())
    taken, sent_away = sorted(answers, key=lambda answer: answer.status_code)
    assert taken.status_code == 202
    assert problem_of(sent_away, 409)["code"] == "key_in_flight"
    assert sent_away.headers["retry-after"]


def test_when_too_much_waits_for_the_disk_orders_are_sent_away(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement, "MAX_WAITING", 0)
    answer = server.client().post("/v1/orders", json=order_of())
    assert problem_of(answer, 503)["code"] == "overloaded"
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (order_of(customer=None), "customer"),
        (order_of(total=1), "total"),
        (order_of(total=-1), "total"),
        (order_of(total="2354"), "total"),
        (order_of(total=2354.5), "total"),
        (order_of(total=10**30), "total"),
        (order_of(total=True), "total"),
        (order_of(items=[]), "items"),
        (order_of(items=[{"sku": "CD", "quantity": 0}]), "items.0.quantity"),
        (order_of(items=[{"sku": "CD", "quantity": 1}], total=None), "total"),
        (
            order_of(
                items=[{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1, "unit_price": 1}]
            ),
            "items",
        ),
        (order_of(currency="usd"), "currency"),
        (order_of(currency="USD\n"), "currency"),
        (order_of(flow="nothing"), "flow"),
        (order_of(surprise=1), "surprise"),
        (order_of(reference="a\x00b"), "reference"),
        (order_of(customer={"id": "\x1b[2J"}), "customer.id"),
        (order_of(customer={"id": "\x9b2J"}), "customer.id"),
        (order_of(reference="gpj.\u202exe"), "reference"),
        (order_of(payment={"method": "4111 1111-1111 1111"}), "payment.method"),
        (order_of(payment={"method": "visa 4111111111111111"}), "payment.method"),
        (order_of(reference="pay with 3782 822463 10005"), "reference"),
        (order_of(shipping=HOME | {"line2": "5555555555554444"}), "shipping.line2"),
        (order_of(metadata={"note": ["6011 1111 1111 1117"]}), "metadata"),
        (order_of(metadata={"card": 4111111111111111}), "metadata"),
        (order_of(metadata={"4111111111111111": ""}), "metadata"),
        (order_of(currency="QQQ"), "currency"),
        (order_of(currency="XXX"), "currency"),
        (order_of(customer={"id": "1", "email": "not-an-email"}), "customer.email"),
        (order_of(customer={"id": "1", "email": "a@b"}), "customer.email"),
        (order_of(customer={"id": "1", "email": "a b@example.com"}), "customer.email"),
        (order_of(shipping=None), "shipping.country"),
        (order_of(shipping={"name": "A. Buyer", "city": "Springfield"}), "shipping.country"),
        (meal(shipping={}, drop_off=None), "drop_off"),
        (order_of(shipping={"country": "us"}), "shipping.country"),
        (order_of(metadata={"a": "\x00"}), "metadata"),
        (order_of(metadata={"a": 2**64}), "metadata"),
        (order_of(metadata={str(n): n for n in range(60)}), "metadata"),
    ],
)
def test_a_wrong_field_is_named(client: httpx.Client, body: Any, field: str) -> None:
    assert fields_of(client.post("/v1/orders", json=body)) == {field}


@pytest.mark.parametrize(
    "changes",
    [
        {"reference": "4111111111111112"},  # which no card has
        {"reference": "20261125123456"},
        {"metadata": {"ean": 4006381333931, "at": 1764028800000}},
        {"currency": "JPY"},
        {"customer": {"id": "1", "email": "jörg+shop@müller.example"}},
    ],
)
def test_what_only_looks_wrong_is_taken(client: httpx.Client, changes: dict[str, Any]) -> None:
    place(client, order_of(**changes))


@pytest.mark.parametrize("total", ["1E-999", "0." + "0" * 400 + "1"])
def test_a_total_that_vanishes_is_no_free_order(client: httpx.Client, total: str) -> None:
    body = order_of(items=[{"sku": "CD", "quantity": 1}], total=1, reference="1e-999 in a text")
    text = json.dumps(body)
    place(client, body)
    answer = client.post("/v1/orders", content=text.replace('"total": 1', f'"total": {total}'))
    assert "taken for 0" in problem_of(answer, 422)["detail"]
    sent = client.put("/v1/stock/VANISHED", content='{"available": ' + total + "}")
    assert "taken for 0" in problem_of(sent, 422)["detail"]


def test_goods_that_need_no_address_are_taken_where_that_is_set(
    start: Callable[..., Server],
) -> None:
    client = start("orders", address_optional=True).client()
    place(client, order_of(shipping=None))
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert "shipping" not in schemas["OrderBody"]["required"]


def test_what_was_taken_once_is_shown_though_it_would_not_be_today(
    start: Callable[..., Server],
) -> None:
    server = start("orders")  # nobody else is to find what is changed here
    client = server.client()
    order_id = place(client)
    old = {"customer": {"id": "1", "email": "not-an-email"}, "payment": {"method": "4" + "1" * 15}}
    text = json.dumps(order_of(**old, currency="QQQ"))
    change = sa.update(orders).where(orders.c.id == order_id).values(body=text, currency="QQQ")
    server.run(server.app.engine.database.run(lambda tx: tx.execute(change)))
    shown = client.get(f"/v1/orders/{order_id}")
    assert shown.status_code == 200, shown.text
    assert shown.json()["customer"]["email"] == "not-an-email"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"reference": "\\ud800"}',
        b'{"flow": "shop", "flow": ',
        b"[" * 10_000,
        b'{"a":' * 10_000,
        b"1" * 100_000,
        b"nul",
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_what_is_not_json_is_told_so(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v1/orders", content=body)
    assert problem_of(answer, 400)["code"] == "malformed_json"


# What is refused for its size is not even looked through for what else is wrong with it.
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000], ids=["lists", "objects"])
def test_json_of_too_many_lists_and_objects_is_told_so(client: httpx.Client, body: bytes) -> None:
    problem = problem_of(client.post("/v1/orders", content=body), 422)
    assert problem["code"] == "invalid"
    assert "20,000 lists and objects" in problem["detail"]


@pytest.mark.parametrize("body", [b"null", b"[]", b'"order"', b"12", b'{"metadata": {"a": 1e999}}'])
def test_json_that_is_no_order_is_told_so(client: httpx.Client, body: bytes) -> None:
    problem_of(client.post("/v1/orders", content=body), 422)


def test_a_body_may_be_large_but_not_too_large(client: httpx.Client) -> None:
    blank = b" " * (bodies.MAX_BODY_BYTES + 1)
    assert problem_of(client.post("/v1/orders", content=blank), 413)["code"] == "too_large"
    in_pieces = client.post("/v1/orders", content=iter([blank[:1000], blank]))
    assert problem_of(in_pieces, 413)["code"] == "too_large"
    body = order_of(items=[{"sku": "CD", "quantity": 1, "unit_price": 1}] * 1000, total=1000)
    place(client, body)


@pytest.mark.parametrize("key", ["", "a" * 256, "tab\there", "caf\xe9"])
def test_an_idempotency_key_is_printable_ascii(client: httpx.Client, key: str) -> None:
    headers = {b"idempotency-key": key.encode("latin-1")}
    answer = client.post("/v1/orders", json=order_of(), headers=headers)
    assert fields_of(answer) == {"Idempotency-Key"}


def test_a_free_order_is_completed_without_a_payment(client: httpx.Client) -> None:
    free = order_of(items=[{"sku": "CD", "quantity": 1, "unit_price": 0}], total=0)
    order_id = place(client, free)
    wait_for(client, order_id, "completed")
    assert client.get(f"/v1/orders/{order_id}/explain").json()["payment"] is None


def test_a_declined_card_is_a_refusal_with_its_reason(client: httpx.Client) -> None:
    order = wait_for(client, place(client, paid_by("card_declined")), "refused")
    assert order["reason"] == "card declined"


def test_an_unknown_sku_is_a_refusal_that_gives_the_money_back(client: httpx.Client) -> None:
    nothing = order_of(items=[{"sku": "NO-SUCH", "quantity": 1, "unit_price": 5}], total=5)
    order_id = place(client, nothing)
    assert wait_for(client, order_id, "refused")["reason"] == "unknown SKU: NO-SUCH"
    assert client.get(f"/v1/orders/{order_id}/explain").json()["payment"]["voided"] is True
