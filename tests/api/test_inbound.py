"""What comes in from others: the carrier's webhooks, and orders for the intake queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from standardwebhooks import Webhook
from tests.api.serving import (
    WEBHOOK_SECRET,
    Server,
    fields_of,
    order_of,
    place,
    problem_of,
    wait_for,
)
from tests.servers.waiting import wait_until

from conveyor.core.queue import Outgoing
from conveyor.flows.shop.shipping.webhooks import WebhookKey

VANISHING = '{"orderId": "V", "userId": "1", "items": ["CD"], "total": 1E-999}'
Start = Callable[..., Server]
CARRIER = "/v1/webhooks/carrier"
LATER_SECONDS = 9_000.0
ALL = ("orders", "payments", "inventory", "shipping")


def _delivered(order_id: str, tracking: str = "T1", **others: Any) -> bytes:
    data = {"order": order_id, "tracking": tracking}
    return orjson.dumps({"type": "shipment.delivered", "data": data, **others})


def _send(client: httpx.Client, body: bytes, *, late_seconds: int = 0) -> httpx.Response:
    at_ms = (int(time.time()) - late_seconds) * 1000
    headers = WebhookKey([WEBHOOK_SECRET]).sign("msg_1", body, at_ms)
    return client.post(CARRIER, content=body, headers=headers)


def test_a_signed_confirmation_completes_the_order_and_a_second_changes_nothing(
    start: Start,
) -> None:
    server = start(*ALL, delivery_delay_seconds=LATER_SECONDS)
    client, carrier = server.client(), server.client("")
    order_id = place(client)
    wait_for(client, order_id, "awaiting")
    assert _send(carrier, _delivered(order_id)).json() == {"outcome": "not_its_parcel"}
    assert client.get(f"/v1/orders/{order_id}").json()["status"] == "awaiting"
    entries = client.get(f"/v1/orders/{order_id}/timeline").json()["entries"]
    [parcel] = [e["detail"]["tracking"] for e in entries if "tracking" in e["detail"]]
    assert _send(carrier, _delivered(order_id, parcel)).json() == {"outcome": "taken"}
    wait_for(client, order_id, "completed")
    again = _send(carrier, _delivered(order_id, parcel))
    assert (again.status_code, again.json()) == (200, {"outcome": "not_awaited"})


def test_another_implementation_of_standard_webhooks_is_understood(server: Server) -> None:
    body = _delivered("01KDVXQG0053EJ2M8Q4N7T6WAB").decode()
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_2",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(WEBHOOK_SECRET).sign("msg_2", now, body),
    }
    answer = server.client("").post(CARRIER, content=body, headers=headers)
    assert answer.json() == {"outcome": "unknown_order"}


def test_what_is_not_signed_by_the_carrier_is_rejected(server: Server) -> None:
    client = server.client("")
    body = _delivered("01KDVXQG0053EJ2M8Q4N7T6WAB")
    problem_of(client.post(CARRIER, content=body), 401)
    problem_of(_send(client, body, late_seconds=301), 401)
    headers = WebhookKey([WEBHOOK_SECRET]).sign("m", b"another body", int(time.time()) * 1000)
    problem_of(client.post(CARRIER, content=body, headers=headers), 401)
    strange = {name.encode(): b"\xff" for name in headers}
    problem_of(client.post(CARRIER, content=body, headers=strange), 401)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"no json", "body"),
        (b"[" * 100_000, "body"),
        (b"{}", "type"),
        (orjson.dumps({"type": "shipment.delivered"}), "data"),
        (_delivered("short"), "data.order"),
        (_delivered("\x00" * 26), "data.order"),
        (_delivered("01KDVXQG0053EJ2M8Q4N7T6WAB").replace(b"T1", b"\\u0000"), "data.tracking"),
    ],
)
def test_a_signed_body_that_says_nothing_is_told_so(
    server: Server, body: bytes, field: str
) -> None:
    assert fields_of(_send(server.client(""), body)) == {field}


def test_a_type_that_is_none_of_our_business_is_answered_with_success(server: Server) -> None:
    body = orjson.dumps({"type": "shipment.painted", "data": {}})
    assert _send(server.client(""), body).json() == {"outcome": "not_awaited"}


def test_the_intake_takes_both_forms_of_an_order(start: Start) -> None:
    client = start(*ALL).client_of("default")
    plain = {"orderId": "ORD123", "userId": "U456", "items": ["CD", "CD"], "total": 100}
    counted = {"orderId": 124, "userId": 123, "items": ["CD"], "total": 10.5}
    said: list[tuple[dict[str, Any], dict[str, str]]] = [
        (plain, {"amount": "USD 100.00"}),
        (counted, {"amount": "USD 10.50"}),
        (order_of(reference="by queue"), {}),
    ]
    for body, amount in said:
        answer = client.post("/v1/intake", json=body)
        assert (answer.status_code, answer.json()) == (202, {"queue": "intake"} | amount)

    def totals() -> dict[str, int]:
        found = client.get("/v1/orders", params={"status": "completed"}).json()["orders"]
        return {order["reference"]: order["total"] for order in found}

    wait_until(totals, lambda seen: seen == {"ORD123": 10_000, "124": 1_050, "by queue": 2354})


@pytest.mark.parametrize("body", [b"", b"\xff", b'{"a": "\x00"}', b"\xed\xa0\x80"])
def test_what_no_queue_takes_is_refused_at_once(server: Server, body: bytes) -> None:
    assert fields_of(server.client().post("/v1/intake", content=body)) == {"body"}


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"currency": "QQQ"}, "currency: Value error, 'QQQ' is no currency of ISO 4217"),
        ({"customer": {"id": "1", "email": "not-an-email"}}, "customer.email: "),
        ({"shipping": {}}, "shipping.country: is needed: it says where the goods go"),
        ({"reference": "4111111111111111"}, "reference: Value error, holds a card number"),
    ],
)
def test_a_bad_order_of_the_intake_is_a_dead_letter_that_says_why(
    server: Server, changes: dict[str, Any], cause: str
) -> None:
    client, reference = server.client(), f"{cause[:8]} 1"
    client.post("/v1/intake", json=order_of(**{"reference": reference, **changes}))

    def causes() -> list[str]:
        return [one["cause"] for one in client.get("/v1/dead-letters").json()["messages"]]

    wait_until(causes, lambda seen: any(one.startswith(cause) for one in seen))


def test_a_total_that_vanishes_is_refused_rather_than_read_as_nothing(server: Server) -> None:
    answer = server.client().post("/v1/intake", content=VANISHING)

    assert fields_of(answer) == {"body"}
    assert "1E-999 is a number so small that it would be taken for 0" in answer.text


def test_a_plain_total_that_vanishes_in_the_queue_is_a_dead_letter(server: Server) -> None:
    client = server.client()
    server.run(server.app.engine.queues.queue("intake").send([Outgoing(VANISHING, group="intake")]))

    def causes() -> list[str]:
        return [one["cause"] for one in client.get("/v1/dead-letters").json()["messages"]]

    wait_until(causes, lambda seen: any("taken for 0" in one for one in seen))


def test_the_intake_is_for_the_merchant_whose_orders_it_takes(server: Server) -> None:
    problem_of(server.client_of("acme").post("/v1/intake", json=order_of()), 403)


def test_the_intake_answers_for_nothing_that_its_queue_has_not_taken(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start()

    async def refuse(messages: Sequence[Outgoing]) -> list[int]:
        return list(range(len(messages)))

    monkeypatch.setattr(server.app.engine.queues.queue("intake"), "send", refuse)
    problem = problem_of(server.client().post("/v1/intake", json=order_of()), 503)
    assert problem["code"] == "unknown_outcome"
