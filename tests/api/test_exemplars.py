"""A histogram names a trace for each of its buckets, to whoever asks for OpenMetrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser
from prometheus_client.samples import Exemplar
from tests.api.serving import Server, order_of, stock_up, wait_for
from tests.servers.collector import Collector, collecting
from tests.servers.memory import directory_in_memory
from tests.servers.waiting import wait_until

OPENMETRICS = "application/openmetrics-text"
ASKED_BY_PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;"
    "q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
KEPT, NOT_KEPT = f"00-{TRACE}-{SPAN}-01", f"00-{'a' * 32}-{SPAN}-00"
families_in: Callable[[str], Iterable[Metric]] = parser.text_string_to_metric_families
HISTOGRAMS = {
    "conveyor_order_seconds": {"flow": "shop@1", "status": "completed"},
    "conveyor_step_seconds": {"step": "inventory.reserve"},
    "conveyor_call_seconds": {"operation": "payments.capture"},
    "conveyor_http_request_seconds": {"method": "POST", "route": "/v1/orders"},
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture
def server(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name, value in collector.environment.items():
        monkeypatch.setenv(name, value)
    with directory_in_memory() as home, Server(home) as running:
        stock_up(running.client())
        yield running


def carried(client: httpx.Client, **headers: str) -> str:
    """Give an order that is completed."""
    answer = client.post("/v1/orders", json=order_of(), headers=headers)
    order_id: str = answer.json()["id"]
    wait_for(client, order_id, "completed")
    return order_id


def exemplars(client: httpx.Client, name: str, **labels: str) -> list[Exemplar]:
    """Give those of a histogram."""
    answer = client.get("/metrics", headers={"accept": ASKED_BY_PROMETHEUS})
    assert answer.headers["content-type"].startswith(f"{OPENMETRICS}; version=1.0.0;")
    return [
        sample.exemplar
        for family in families_in(answer.text)
        if family.name == name
        for sample in family.samples
        if sample.exemplar and labels.items() <= sample.labels.items()
    ]


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_each_leads_to_the_trace_of_an_order(server: Server, name: str) -> None:
    client = server.client()
    carried(client, traceparent=KEPT)
    found = wait_until(lambda: exemplars(client, name, **HISTOGRAMS[name]), bool)
    assert [it.labels["trace_id"] for it in found] == [TRACE]
    assert 0 < found[0].value < 60


def test_the_last_of_a_bucket_stands_for_it(server: Server) -> None:
    client, name = server.client(), "conveyor_http_request_seconds"
    for at in range(20):
        carried(client, traceparent=f"00-{at + 1:032x}-{SPAN}-01")
    found = exemplars(client, name, **HISTOGRAMS[name])
    assert f"{20:032x}" in {it.labels["trace_id"] for it in found}
    assert len(found) < 20


def test_what_nobody_keeps_is_none(server: Server) -> None:
    client = server.client()
    carried(client, traceparent=NOT_KEPT)
    for name, labels in HISTOGRAMS.items():
        assert exemplars(client, name, **labels) == []


def test_prometheus_text_has_none(server: Server) -> None:
    client = server.client()
    carried(client, traceparent=KEPT)
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert TRACE not in answer.text
    assert "# EOF" not in answer.text


def test_where_traces_are_off_there_are_none(tmp_path: Path) -> None:
    with Server(tmp_path) as running:
        client = running.client()
        stock_up(client)
        carried(client, traceparent=KEPT)
        for name, labels in HISTOGRAMS.items():
            assert exemplars(client, name, **labels) == []
