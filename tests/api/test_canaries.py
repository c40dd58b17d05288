"""What an order's customer has said of themselves is in its body, and nowhere else.

Orders of all flows, among them some that are declined, fault and are parked, and an outage.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from tests.api.serving import Server, order_of, problem_of, stock_up, wait_for
from tests.flows.canaries import found_in, with_canaries
from tests.flows.travel_driver import DATE, journey
from tests.servers.collector import Collector, collecting
from tests.servers.waiting import wait_until

from conveyor.core.errors import DatabaseUnavailableError
from conveyor.core.order_status import SETTLED, OrderStatus
from conveyor.entrypoints.json_lines import JsonLines, TextLines

BLURTING: dict[str, Any] = {
    "extensions": "tests.flows.blurting:EXTENSION",
    "backoff_base_seconds": 0.01,
}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def server(tmp_path: Path, collector: Collector) -> Iterator[Server]:  # noqa: ARG001 - it sets OTEL_*
    with Server(tmp_path, **BLURTING, food_pace_seconds=0.0, max_receives=2) as running:
        stock_up(running.client())
        yield running


def orders() -> list[dict[str, Any]]:
    """Give one of each flow, and those that come to harm."""
    return [
        order_of(),
        order_of(payment={"method": "card_declined"}),
        order_of(items=[{"sku": "NONE", "quantity": 1}], total=1177),
        order_of(flow="food", restaurant="pasta"),
        journey({"flight": "UA1545", "date": DATE}),
        journey({"flight": "NONE", "date": DATE}),
        order_of(flow="renewal", subscription="none", period=0),
        order_of(flow="blurt", payment={"method": "card_canary"}),
    ]


def settle(server: Server, client: httpx.Client) -> tuple[list[str], set[str]]:
    """Place them all and let them settle; gives their ids and the canaries."""
    ids, canaries = [], set()
    for order in orders():
        body, sung = with_canaries(server.app.installed.bodies.model(order["flow"]), order)
        answer = client.post("/v1/orders", json=body)
        assert answer.status_code == 202, answer.text
        ids.append(answer.json()["id"])
        canaries |= sung
    for order_id in ids:
        wait_for(client, order_id, *SETTLED, OrderStatus.AWAITING)
    return ids, canaries


@contextmanager
def outage(server: Server) -> Iterator[None]:
    database: Any = server.app.parts.database
    run = database.run

    async def fail(_work: object) -> NoReturn:
        raise DatabaseUnavailableError("the database", "it is away")

    database.run = fail
    try:
        yield
    finally:
        database.run = run


def events_of(caplog: pytest.LogCaptureFixture) -> set[str]:
    return {vars(record).get("event", "") for record in caplog.records}


def written(records: list[logging.LogRecord]) -> list[str]:
    """Give all of a log, as it is written in either form."""
    return [form.format(it) for it in records for form in (JsonLines(), TextLines())]


def queues_of(data: Path) -> bytes:
    """Give all that was in the queues, also what is deleted by now.

    Another process reads it: whoever closes a file lets go of all locks that its process has on it.
    """
    files = [str(path) for path in data.glob("queue.db*")]
    return subprocess.run(["/bin/cat", *files], check=True, capture_output=True).stdout


def test_canaries_sing_nowhere(
    server: Server, tmp_path: Path, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="conveyor")
    client = server.client_of("default")
    client.put(f"/v1/resources/flight/UA1545/{DATE}", json={"capacity": 10})
    ids, canaries = settle(server, client)
    with outage(server):
        body, _ = with_canaries(server.app.installed.bodies.model("shop"), order_of())
        problem_of(client.post("/v1/orders", json=body), 503)
    wait_until(lambda: events_of(caplog), lambda events: "back" in events)
    parked = client.get("/v1/dead-letters").json()["orders"]
    assert {it["id"] for it in parked} == {ids[-1]}
    shown = client.get(f"/v1/dead-letters/{ids[-1]}")
    assert "Traceback" in shown.json()["traceback"]
    said = client.post(f"/v1/dead-letters/{ids[-1]}/discard", json={"reason": "of no use"})
    assert said.status_code == 202, said.text
    wait_until(lambda: {it.outcome for it in collector.of_order(ids[-1])}, {"fault"}.issubset)
    client.get("/v1/orders", params={"email": next(iter(canaries))})

    places: dict[str, list[str | bytes]] = {
        "log": [*written(caplog.records)],
        "queues": [queues_of(tmp_path)],
        "traces": [*collector.raw],
        "metrics": [client.get("/metrics").text],
        "dead letters": [str(parked), shown.text],
        "stories": [client.get(f"/v1/orders/{i}/timeline").text for i in ids],
        "operators": [client.get("/v1/operators/log").text],
        "summary": [client.get("/v1/summary").text],
    }
    assert all(any(texts) for texts in places.values())
    leaks = {name: found_in(texts, canaries) for name, texts in places.items()}
    assert {name: leaked for name, leaked in leaks.items() if leaked} == {}
    assert {"fault", "parked", "settled", "away", "back"} <= events_of(caplog)
