"""Traces of processes: on PostgreSQL and SQS an order is one trace, whoever takes its steps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from tests.api.serving import NO_TLS, order_of, place, stock_up
from tests.cli.driver import Process, say, until
from tests.servers.collector import Collector, Span, collecting, whole
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server

from conveyor.system.tracers import open_tracer

COUNT = 8
WORKERS = {"money": ("payments", "orders"), "goods": ("inventory", "shipping")}
WHO = "service.instance.id"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def environment(
    collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    with postgres_server(durable=False) as postgres, ministack_server() as sqs:
        environment = AWS_TEST_ENVIRONMENT | {
            "CONVEYOR_DATABASE_URL": postgres.fresh_database(),
            "CONVEYOR_QUEUE_URL": f"sqs://eu-west-1/shop-?endpoint_url={sqs.endpoint_url}",
            "CONVEYOR_DATA": str(tmp_path_factory.mktemp("data")),
        }
        assert say("migrate", **environment).code == 0
        assert say("queues", "provision", **environment).code == 0
        yield environment | collector.environment


def named(name: str, environment: dict[str, str]) -> dict[str, str]:
    return environment | {"OTEL_RESOURCE_ATTRIBUTES": f"{WHO}={name}"}


@pytest.fixture(scope="module")
def ids(environment: dict[str, str], collector: Collector) -> list[str]:
    """Let an API and two workers run; gives orders that are completed, and told."""
    key = say("keys", "create", "--scopes", "place,read,operate", **environment).out.strip()
    headers = {"authorization": f"Bearer {key}"}
    with ExitStack() as stack:
        api = stack.enter_context(
            Process("serve", "--port", 0, "--json", **named("api", environment))
        )
        workers = [
            stack.enter_context(Process("work", *services, "--json", **named(name, environment)))
            for name, services in WORKERS.items()
        ]
        url = api.ready()["url"]
        for worker in workers:
            worker.ready()
        client = httpx.Client(base_url=url, headers=headers, timeout=60, verify=NO_TLS)
        with client:
            stock_up(client)
            placed = [place(client, order_of()) for _ in range(COUNT)]
            until(lambda: all(is_told(collector, it) for it in placed))
        stopped = [process.stop() for process in (api, *workers)]
    assert [it.code for it in stopped] == [0] * 3, stopped
    return placed


def is_told(collector: Collector, order_id: str) -> bool:
    return "completed" in {it.name for it in collector.of_order(order_id)}


def trace_of(collector: Collector, order_id: str) -> list[Span]:
    (trace_id,) = collector.traces()[order_id]
    return collector.of_trace(trace_id)


def test_an_order_is_one_trace_across_processes(collector: Collector, ids: list[str]) -> None:
    for order_id in ids:
        spans = trace_of(collector, order_id)
        by_name = {it.name: it for it in spans}
        assert whole(spans)
        assert {it.order for it in spans} <= {order_id, ""}
        assert {it.process[WHO] for it in spans} == {"api", *WORKERS}
        assert by_name["POST /v1/orders"].parent == ""
        assert by_name["place order"].process[WHO] == "api"
        assert by_name["call payments.capture"].process[WHO] == "money"
        assert by_name["shipping.ship"].process[WHO] == "goods"
    assert len({trace for it in ids for trace in collector.traces()[it]}) == COUNT


def test_a_step_is_under_the_message_that_another_process_sent(
    collector: Collector, ids: list[str]
) -> None:
    spans = trace_of(collector, ids[0])
    by_id = {it.span_id: it for it in spans}
    step = next(it for it in spans if it.name == "inventory.reserve")
    sent = by_id[step.parent]
    assert (step.kind, sent.kind) == ("consumer", "producer")
    assert (step.process[WHO], sent.process[WHO]) == ("goods", "money")
    assert sent.name in {"send inventory", "create inventory"}
    assert {it.attributes["messaging.system"] for it in (step, sent)} == {"aws_sqs"}
    assert {it.attributes["messaging.destination.name"] for it in (step, sent)} == {"inventory"}


def test_what_cannot_be_had_is_told_with_what_to_do(tmp_path: Path) -> None:
    wrong = {
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    }
    exporter = say("up", "--data", tmp_path, "--port", 0, **wrong)
    protocol = say(
        "up", "--data", tmp_path, "--port", 0, **wrong | {"OTEL_TRACES_EXPORTER": "otlp"}
    )
    assert (exporter.code, protocol.code) == (2, 2)
    assert "OTEL_TRACES_EXPORTER: 'console' is none of otlp, none" in exporter.err
    assert (
        "OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' is not spoken here: set http/protobuf" in protocol.err
    )


@pytest.mark.parametrize(
    "off", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}, {}]
)
def test_they_are_off_unless_the_standard_variables_ask(
    monkeypatch: pytest.MonkeyPatch, off: dict[str, str]
) -> None:
    monkeypatch.setitem(sys.modules, "conveyor.adapters.otel", None)
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"} if off else {}
    assert open_tracer(endpoint | off) is None
