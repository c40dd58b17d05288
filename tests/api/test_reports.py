"""How things stand: summary, audit, explanation, health, metrics and documentation."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable
from typing import NoReturn

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.api.serving import Server, order_of, paid_by, place, problem_of, wait_for
from tests.servers.waiting import wait_until

from conveyor.commerce.orders.model import OrderBody
from conveyor.core.errors import DatabaseUnavailableError
from conveyor.entrypoints.http import metrics
from conveyor.operations.audit import AuditReport
from conveyor.operations.audits import Audits

Start = Callable[..., Server]


def test_the_summary_counts_orders_and_money(server: Server) -> None:
    client = server.client_of("sums")
    client.put("/v1/stock/CD", json={"available": 10})
    keys = {"card_ok": "sum:1", "card_declined": "sum:2", "card_down": "sum:3"}
    placed = [place(client, paid_by(method), key) for method, key in keys.items()]
    place(client, key="sun:1")
    for order_id in placed:
        wait_for(client, order_id, "completed", "refused", "parked")
    summary = client.get("/v1/summary", params={"key_prefix": "sum:"}).json()
    assert summary["placed"] == 3
    assert summary["open"] == 0
    assert summary["by_status"] == {"completed": 1, "refused": 1, "parked": 1}
    assert summary["captured"] == {"USD": 2354}
    assert summary["refunded"] == {"USD": 0}
    assert summary["refused_because"] == {"card declined": 1}
    assert 0 <= summary["latency_ms"]["p50"] <= summary["latency_ms"]["p99"]
    assert client.get("/v1/summary").json()["placed"] == 4
    assert server.client_of("none").get("/v1/summary").json()["latency_ms"]["p50"] is None


def test_the_summary_counts_what_is_open(start: Start) -> None:
    client = start().client()
    orders = [place(client, key=f"open:{number}") for number in range(3)]
    place(client, key="other:1")
    path = {"key_prefix": "open:"}
    assert client.get("/v1/summary", params=path).json()["open"] == 3
    assert client.get("/v1/summary").json()["open"] == 4
    client.post(f"/v1/orders/{orders[0]}/cancel")
    wait_until(
        lambda: client.get("/v1/summary", params=path).json(),
        lambda seen: seen["open"] == 2 and seen["by_status"].get("cancelled") == 1,
    )


def test_the_audit_looks_at_everything(client: httpx.Client) -> None:
    wait_for(client, place(client), "completed")
    report = client.get("/v1/audit").json()
    assert report["clean"] is True
    assert report["violations"] == 0
    assert {check["name"] for check in report["checks"]}


def test_an_explanation_tells_the_story_to_programs_and_people(client: httpx.Client) -> None:
    order_id = place(client)
    wait_for(client, order_id, "completed")
    story = client.get(f"/v1/orders/{order_id}/explain").json()
    assert {stop["state"] for stop in story["slip"]} == {"done"}
    first = [event["event"] for event in story["events"]][:4]
    assert first == ["placed", "called", "call_ended", "done"]
    assert {call["state"] for call in story["calls"]} == {"answered"}
    assert story["payment"]["captured"] == 2354
    assert story["facts"]["stock"]["lines"] == [{"sku": "CD", "quantity": 2, "state": "sold"}]
    assert story["facts"]["shipment"]["state"] == "delivered"
    assert story["waits_for"] is None
    assert [choice["what"] for choice in story["choices"]] == ["refund"]
    text = "\n".join(story["sentences"])
    assert "USD 23.54 captured" in text
    assert "payments.authorize is done" in text


def test_an_explanation_says_what_is_waited_for_and_what_can_be_done(start: Start) -> None:
    server = start("orders", "payments", "inventory", "shipping", delivery_delay_seconds=9e3)
    client = server.client()
    awaiting = place(client)
    parked = place(client, paid_by("card_down"))
    wait_for(client, awaiting, "awaiting")
    wait_for(client, parked, "parked")
    story = client.get(f"/v1/orders/{awaiting}/explain").json()
    assert "shipping.ship" in story["waits_for"]["what"]
    assert story["waits_for"]["until"] > story["order"]["placed_at"]
    assert "Nothing needs to be done." in story["sentences"]
    story = client.get(f"/v1/orders/{parked}/explain").json()
    assert story["waits_for"] == {"what": "an operator's decision", "until": None}
    assert [choice["what"] for choice in story["choices"]] == ["redrive", "discard"]
    assert "provider unavailable" in story["parked_because"]


def test_an_order_that_is_undone_shows_what_was_undone(client: httpx.Client) -> None:
    body = order_of(items=[{"sku": "GONE", "quantity": 1, "unit_price": 5}], total=5)
    order_id = place(client, body)
    wait_for(client, order_id, "refused")
    story = client.get(f"/v1/orders/{order_id}/explain").json()
    assert [stop["state"] for stop in story["slip"]] == ["undone"] + ["not_taken"] * 4
    assert "inventory.reserve was refused: unknown SKU: GONE" in "\n".join(story["sentences"])


def test_it_is_alive_and_ready_without_a_key(server: Server) -> None:
    for path in ("/healthz", "/readyz"):
        assert server.client("").get(path).json() == {"status": "ok"}


def test_it_is_not_ready_when_the_queue_does_not_answer(start: Start) -> None:
    server = start()
    queues = server.app.parts.queues
    server.run(queues.close())
    problem = problem_of(server.client("").get("/readyz"), 503)
    assert [error["field"] for error in problem["errors"]] == ["queue"]
    assert server.client("").get("/healthz").status_code == 200
    figures = _metrics(server)
    assert figures["conveyor_queue_up", "orders"] == 0
    server.run(queues.open())
    ready = server.client("")  # what was found is remembered for a moment
    wait_until(lambda: ready.get("/readyz").status_code, lambda code: code == 200)


def test_without_the_database_the_figures_of_the_process_are_there(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> NoReturn:
        raise DatabaseUnavailableError("it", "is away")

    server = start()
    monkeypatch.setattr(metrics, "REMEMBER_MS", 0)
    assert _metrics(server)["conveyor_database_up", ""] == 1
    monkeypatch.setattr(server.app.engine.database, "read", fail)
    figures = _metrics(server)
    assert figures["conveyor_database_up", ""] == 0
    assert figures["conveyor_queue_requests_total", ""] >= 0
    assert ("conveyor_orders_open", "") not in figures


def test_requests_are_told_by_their_route_not_by_whom_they_are_for(start: Start) -> None:
    server = start()
    client = server.client()
    order_id = place(client)
    client.get(f"/v1/orders/{order_id}")
    client.get("/nowhere")
    figures = _metrics(server)
    asked = {labels for name, labels in figures if name == "conveyor_http_request_seconds_count"}

    assert asked >= {
        "POST,/v1/orders,202",
        "GET,/v1/orders/{order_id},200",
        "GET,,404",
    }
    assert not [labels for _, labels in figures if order_id in labels]


def test_the_metrics_are_what_prometheus_reads(start: Start) -> None:
    server = start("orders", "payments", "inventory", "shipping")
    client = server.client()
    wait_for(client, place(client), "completed")
    place(client, paid_by("card_down"))
    client.post("/v1/intake", content=b"{}")
    wait_until(
        lambda: client.get("/v1/dead-letters").json(),
        lambda found: bool(found["orders"] and found["messages"]),
    )
    figures = _metrics(server)
    assert figures["conveyor_orders", "completed"] == 1
    assert figures["conveyor_orders", "parked"] == 1
    assert figures["conveyor_orders_open", ""] == 0
    assert figures["conveyor_queue_messages", "intake-dead,visible"] == 1
    assert figures["conveyor_messages_total", "handled,payments"] >= 3
    assert figures["conveyor_queue_requests_total", ""] > 0
    assert figures["conveyor_outbox_oldest_due_seconds", ""] >= 0


def test_the_documentation_needs_no_other_server(server: Server) -> None:
    client = server.client("")
    page = client.get("/docs").text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    for address in addresses:
        assert address.startswith("/docs/assets/")
        assert client.get(address).status_code == 200
    assert "http" not in page


def test_the_description_is_complete(server: Server) -> None:
    described = server.client("").get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    schemas = described["components"]["schemas"]
    for operations in described["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["tags"]
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    schema = answer["content"]["application/problem+json"]["schema"]
                    assert schema["$ref"].endswith("/Problem")
    for reference in re.findall(r"#/components/schemas/(\w+)", str(described)):
        assert reference in schemas
    place_order = described["paths"]["/v1/orders"]["post"]
    example = place_order["requestBody"]["content"]["application/json"]["example"]
    assert OrderBody.model_validate(example).amount == 2354
    assert place_order["security"] == [{"apiKey": ["place"]}]
    assert schemas["OrderBody"]["properties"]["flow"]["enum"] == ["shop"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 405),
        ("GET", "/v1/orders/", 404),
        ("GET", "/v2/orders", 404),
        ("GET", "/%00", 404),
        ("PATCH", "/v1/orders", 405),
        ("DELETE", "/healthz", 405),
        ("POST", "/openapi.json", 405),
        ("PUT", "/docs", 405),
        ("POST", "/docs/assets/swagger-ui.css", 405),
        ("GET", "/docs/assets/../../../etc/passwd", 404),
        ("GET", "/docs/assets/%2e%2e/__init__.py", 404),
    ],
)
def test_paths_and_methods_that_are_not_there_are_problems_too(
    server: Server, method: str, path: str, status: int
) -> None:
    answer = server.client("").request(method, path)
    problem_of(answer, status)
    assert ("allow" in answer.headers) == (status == 405)


def test_the_root_says_what_this_is_and_where_to_go_on(server: Server) -> None:
    answer = server.client("").get("/").json()
    paths = [at for at in answer.values() if at.startswith("/")]

    assert answer["name"] == "conveyor"
    assert len(paths) == 6
    for path in paths:
        assert server.client("").get(path).status_code in {200, 401}


@pytest.mark.parametrize("path", ["/healthz", "/v1/orders", "/docs", "/nowhere"])
def test_no_answer_is_kept_by_a_cache_or_taken_for_something_else(
    server: Server, path: str
) -> None:
    headers = server.client("").get(path).headers

    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_the_page_runs_no_script_but_its_own(server: Server) -> None:
    answer = server.client("").get("/docs")
    policy = answer.headers["content-security-policy"]

    inline = re.search(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    assert inline
    digest = base64.b64encode(hashlib.sha256(inline[1].encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")


def _metrics(server: Server) -> dict[tuple[str, str], float]:
    answer = server.client("").get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_audits_that_are_asked_for_at_once_are_one(server: Server) -> None:
    audits = Audits(server.app)

    async def twenty() -> list[AuditReport]:
        return await asyncio.gather(*(audits.run() for _ in range(20)))

    reports = server.run(twenty())
    assert len({id(report) for report in reports}) == 1
    assert server.run(audits.run()) is not reports[0]
