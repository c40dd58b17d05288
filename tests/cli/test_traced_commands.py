"""Commands that set orders in motion are traces, and what they ask a server for is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.serving import order_of
from tests.cli.driver import bodies, running, say, until, write_lines
from tests.servers.collector import Collector, Span, collecting, whole
from tests.servers.process import free_port

COUNT = 4


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running_one:
        yield running_one


@pytest.fixture(scope="module")
def data(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run a server that is traced, with something to sell; gives its directory."""
    directory = tmp_path_factory.mktemp("data")
    with running(directory, **collector.environment):
        assert say("stock", "set", "CD", 1_000, "--data", directory).code == 0
        yield directory


def placed(data: Path, home: Path, **environment: str) -> str:
    """Place an order by a command; gives its id."""
    (body := home / "order.json").write_text(json.dumps(order_of()))
    order_id: str = say("place", body, "--json", "--data", data, **environment).json()["id"]
    return order_id


def servers(spans: list[Span]) -> list[Span]:
    """Give those of requests, as their server tells of them."""
    return [it for it in spans if it.kind == "server"]


def trace_of(collector: Collector, order_id: str) -> list[Span]:
    """Wait until an order's trace is told as a whole."""

    def told() -> list[Span]:
        (trace_id,) = collector.traces().get(order_id, {""})
        spans = collector.of_trace(trace_id)
        ended = "completed" in {it.name for it in spans}
        return spans if ended and whole(spans) else []

    found: list[Span] = until(told)
    return found


def test_an_order_is_in_the_trace_of_the_command_that_places_it(
    collector: Collector, data: Path, tmp_path: Path
) -> None:
    order_id = placed(data, tmp_path, **collector.environment)
    by_name = {it.name: it for it in trace_of(collector, order_id)}
    command, asked = by_name["conveyor place"], by_name["POST /v1/orders"]
    assert (command.parent, asked.parent) == ("", command.span_id)
    assert by_name["place order"].parent == asked.span_id


def test_what_a_command_does_to_an_order_is_in_its_trace(
    collector: Collector, data: Path, tmp_path: Path
) -> None:
    order_id = placed(data, tmp_path)
    trace_of(collector, order_id)
    refused = say("orders", "cancel", order_id, "--data", data, **collector.environment)
    name = "conveyor orders cancel"
    command = until(lambda: next((it for it in collector.spans if it.name == name), None))
    asked = until(lambda: servers(collector.of_trace(command.trace_id)))
    assert refused.code != 0
    assert (command.failed, command.attributes["error.type"]) == (True, "ApiError")
    assert {it.parent for it in asked} == {command.span_id}
    assert order_id not in json.dumps([command.name, dict(command.attributes)])


def test_a_command_that_only_looks_is_none(collector: Collector, data: Path) -> None:
    before = len(collector.spans)
    assert say("status", "--data", data, **collector.environment).code == 0
    assert not [it for it in collector.spans[before:] if it.name.startswith("conveyor ")]


def test_each_order_of_a_replay_is_a_trace_of_its_own(tmp_path: Path) -> None:
    with collecting() as collector:
        orders = write_lines(tmp_path / "orders.jsonl", bodies(COUNT))
        directory = ("--data", tmp_path / "data")
        assert say("stock", "set", "CD", 100, *directory).code == 0
        said = say("replay", orders, "--json", *directory, **collector.environment).json()
        assert said["by_status"] == {"completed": COUNT}
        found = collector.traces()
    assert len(found) == COUNT
    assert len({trace_id for of_one in found.values() for trace_id in of_one}) == COUNT


def test_that_traces_cannot_be_had_keeps_no_command_from_its_work(
    data: Path, tmp_path: Path
) -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    assert placed(data, tmp_path, **away)
    said = say("place", tmp_path / "order.json", "--data", data, OTEL_TRACES_EXPORTER="console")
    assert said.code == 0
    assert "there is no trace of this: OTEL_TRACES_EXPORTER: 'console' is none of" in said.err
