"""Traces of a whole system in one process: what a request began, and where it is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.api.food import Town, ticket
from tests.api.serving import MERCHANT, Server, order_of, place, stock_up, wait_for
from tests.servers.collector import Collector, Span, collecting, whole
from tests.servers.memory import directory_in_memory
from tests.servers.waiting import wait_until

from conveyor.entrypoints.json_lines import JsonLines

TRACE, ASKED = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{ASKED}-01"
NOT_KEPT = f"00-{'a' * 32}-{ASKED}-00"
SHOWN = "https://traces.example/trace/{trace_id}"
STATUS = "http.response.status_code"
PLACING = "POST /v1/orders"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def server(collector: Collector) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patched, directory_in_memory() as home:
        for name, value in collector.environment.items():
            patched.setenv(name, value)
        with Server(home, trace_url=SHOWN, food_pace_seconds=3_600.0) as running:
            stock_up(running.client())
            yield running


@pytest.fixture
def client(server: Server) -> httpx.Client:
    return server.client()


def ended(collector: Collector, client: httpx.Client, order_id: str) -> list[Span]:
    """Wait until an order is completed and all of it is told; gives its trace."""
    wait_for(client, order_id, "completed")
    (trace_id,) = {it.trace_id for it in until_told(collector, order_id, "completed")}
    # The request's own span may be told after that of its order.
    return wait_until(
        lambda: collector.of_trace(trace_id), lambda spans: PLACING in {it.name for it in spans}
    )


def until_told(collector: Collector, order_id: str, name: str) -> list[Span]:
    return wait_until(
        lambda: collector.of_order(order_id), lambda spans: name in {it.name for it in spans}
    )


def placed_with(client: httpx.Client, traceparent: str) -> str:
    answer = client.post("/v1/orders", json=order_of(), headers={"traceparent": traceparent})
    order_id: str = answer.json()["id"]
    return order_id


def test_an_order_is_in_the_trace_of_whoever_placed_it(
    collector: Collector, client: httpx.Client
) -> None:
    order_id = placed_with(client, TRACEPARENT)
    spans = ended(collector, client, order_id)
    by_name = {it.name: it for it in spans}
    asked, placing = by_name[PLACING], by_name["place order"]

    assert {it.trace_id for it in spans} == {TRACE}
    assert whole(spans, ASKED)
    assert (asked.kind, asked.parent, placing.parent) == ("server", ASKED, asked.span_id)
    assert asked.attributes.items() >= {
        ("http.request.method", "POST"),
        ("http.route", "/v1/orders"),
        (STATUS, 202),
    }
    assert asked.process["service.name"] == "conveyor"
    for step in ("payments.authorize", "inventory.reserve", "payments.capture", "shipping.ship"):
        assert by_name[step].parent == placing.span_id
    assert by_name["call payments.capture"].parent == by_name["payments.capture"].span_id
    assert by_name["call payments.capture"].kind == "client"


def test_without_one_it_is_in_a_trace_of_its_own_which_is_told(
    collector: Collector, client: httpx.Client, server: Server
) -> None:
    order_id = place(client)
    (trace_id,) = {it.trace_id for it in ended(collector, client, order_id)}
    story = client.get(f"/v1/orders/{order_id}/explain").json()
    visitor = server.client("")
    visitor.headers["sec-fetch-site"] = "same-origin"
    visitor.post("/console/sign-in", data={"key": server.local_key})
    page = visitor.get(f"/console/orders/{order_id}").text

    assert story["trace_id"] == trace_id
    assert f"Its trace is {trace_id}." in story["sentences"]
    assert f'href="https://traces.example/trace/{trace_id}"' in page


def test_what_nobody_keeps_is_not_told(collector: Collector, client: httpx.Client) -> None:
    order_id = placed_with(client, NOT_KEPT)
    wait_for(client, order_id, "completed")
    later = place(client)
    ended(collector, client, later)

    assert collector.of_trace("a" * 32) == []
    assert collector.of_order(order_id) == []
    assert client.get(f"/v1/orders/{order_id}/explain").json()["trace_id"] is None


@pytest.mark.parametrize(
    "header",
    ["", "nothing", f"ff-{TRACE}-{ASKED}-01", f"00-{'0' * 32}-{ASKED}-01", "00-" + "f" * 200],
)
def test_what_is_no_context_begins_a_new_trace(
    collector: Collector, client: httpx.Client, header: str
) -> None:
    order_id = placed_with(client, header)
    spans = ended(collector, client, order_id)
    assert whole(spans)
    assert {it.trace_id for it in spans}.isdisjoint({TRACE, "f" * 32, "0" * 32})


def test_a_path_is_told_without_whose_it_is(collector: Collector, client: httpx.Client) -> None:
    nobody = "01KDVXQG0053EJ2M8Q4N7T6WAB"
    assert client.get(f"/v1/orders/{nobody}").status_code == 404
    assert client.get(f"/v1/nothing/{nobody}").status_code == 404
    found = wait_until(
        lambda: [
            it for it in collector.spans if it.attributes.get("http.response.status_code") == 404
        ],
        lambda spans: len(spans) >= 2,
    )
    assert {it.name for it in found} == {"GET /v1/orders/{order_id}", "GET"}
    assert not any(it.failed for it in found)
    assert not any(nobody.encode() in body for body in collector.raw)


def test_who_answered_is_linked(collector: Collector, server: Server) -> None:
    town = Town(server, "traced-town", "r1")
    order_id = town.order()
    header = {"traceparent": f"00-{'b' * 32}-{ASKED}-01"}
    told = town.kitchen.post(ticket(order_id, "accept"), json={"minutes": 10}, headers=header)
    assert told.status_code == 202
    town.at(order_id, "riders.assign")
    answered = wait_until(
        lambda: [it for it in collector.of_order(order_id) if it.name == "restaurants.confirm"],
        lambda spans: "done" in {it.outcome for it in spans},
    )
    assert [it.links for it in answered if it.outcome == "done"] == [("b" * 32,)]


def test_lines_of_the_log_tell_the_trace(
    collector: Collector, client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="conveyor")
    order_id = place(client)
    (trace_id,) = {it.trace_id for it in ended(collector, client, order_id)}
    lines = [json.loads(JsonLines().format(it)) for it in caplog.records]
    settled = [it for it in lines if it.get("order") == order_id]
    assert [it["trace_id"] for it in settled] == [trace_id]


def test_a_collector_that_is_away_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with collecting() as gone:
        environment = gone.environment
    for name, value in (environment | {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"}).items():
        monkeypatch.setenv(name, value)
    with Server(tmp_path) as server:
        client = server.client()
        stock_up(client)
        order_id = place(client)
        wait_for(client, order_id, "completed")
        assert client.get(f"/v1/orders/{order_id}/explain").json()["trace_id"]
    assert MERCHANT not in caplog.text
