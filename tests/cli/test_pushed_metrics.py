"""Processes push their figures to a collector: those that they tell Prometheus, to the letter."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.api.serving import NO_TLS, order_of, place, stock_up
from tests.cli.driver import Process, Said, bodies, say, until, write_lines
from tests.servers.collector import Collector, Point, collecting
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server
from tests.servers.process import free_port

from conveyor.core.measures import CALL_SECONDS, LIFE_SECONDS
from conveyor.system.figures_push import open_figures_push

COUNT = 5
WHO = "service.instance.id"
AUTHORIZED = {"flow": "shop@1", "step": "payments.authorize", "outcome": "done"}
SETTLED = {"flow": "shop@1", "status": "completed"}
POSTED = {"method": "POST", "route": "/v1/orders", "status": "202"}
SELDOM_MS = "3600000"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with postgres_server(durable=False) as postgres, ministack_server() as sqs:
        environment = AWS_TEST_ENVIRONMENT | {
            "CONVEYOR_DATABASE_URL": postgres.fresh_database(),
            "CONVEYOR_QUEUE_URL": f"sqs://eu-west-1/shop-?endpoint_url={sqs.endpoint_url}",
            "CONVEYOR_DATA": str(tmp_path_factory.mktemp("data")),
        }
        assert say("migrate", **environment).code == 0
        assert say("queues", "provision", **environment).code == 0
        yield environment


def named(name: str, environment: dict[str, str]) -> dict[str, str]:
    return environment | {"OTEL_RESOURCE_ATTRIBUTES": f"{WHO}={name}"}


@pytest.fixture(scope="module")
def told(environment: dict[str, str], collector: Collector) -> dict[str, str]:
    """Let an API and a worker carry some orders; gives what the API told Prometheus of itself."""
    key = say("keys", "create", "--scopes", "place,read,operate", **environment).out.strip()
    pushing = environment | collector.environment
    with ExitStack() as stack:
        serve, work = (
            stack.enter_context(Process(*arguments, "--json", **named(name, pushing)))
            for name, arguments in (
                ("api", ("serve", "--port", 0)),
                ("worker", ("work", "all")),
            )
        )
        url = serve.ready()["url"]
        work.ready()
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60, verify=NO_TLS) as client:
            stock_up(client)
            for _ in range(COUNT):
                place(client, order_of())
            until(lambda: counted(collector, "conveyor_order_seconds", "worker") == COUNT)
            text = client.get("/metrics").text
        stopped = [process.stop() for process in (serve, work)]
    assert [it.code for it in stopped] == [0, 0], stopped
    assert [lines(it, "away") for it in stopped] == [[], []]
    families = text_string_to_metric_families(text)
    kinds = {it.name: it.type for it in families if it.samples}
    return {f"{name}_total" if kind == "counter" else name: kind for name, kind in kinds.items()}


def counted(collector: Collector, name: str, process: str, **labels: str) -> int:
    return sum(it.count for it in collector.pushed(name, process, **labels))


def only(points: list[Point]) -> Point:
    (it,) = points
    return it


def lines(said: Said, event: str) -> list[dict[str, object]]:
    """Give what the log tells of this kind."""
    read = [json.loads(line) for line in said.err.splitlines() if line.startswith("{")]
    return [it for it in read if it.get("event") == event]


def test_what_is_pushed_has_the_names_and_kinds_that_prometheus_is_told(
    collector: Collector, told: dict[str, str]
) -> None:
    kinds = {"counter": "sum", "gauge": "gauge", "histogram": "histogram"}
    pushed = {it.name: it.kind for points in collector.pushes for it in points}
    assert {name: kinds[kind] for name, kind in told.items()}.items() <= pushed.items()


def test_each_process_pushes_what_it_counted_itself(
    collector: Collector, told: dict[str, str]
) -> None:
    assert told
    steps = only(collector.pushed("conveyor_steps_total", "worker", **AUTHORIZED))
    answered = only(collector.pushed("conveyor_http_request_seconds", "api", **POSTED))
    assert (steps.value, steps.labels["service"]) == (COUNT, "payments")
    assert answered.count == COUNT
    assert collector.pushed("conveyor_steps_total", "api") == []
    up = collector.pushed("conveyor_database_up")
    assert {it.process: it.value for it in up} == {"api": 1, "worker": 1}


def test_histograms_keep_their_buckets(collector: Collector, told: dict[str, str]) -> None:
    assert told
    whole = only(collector.pushed("conveyor_order_seconds", "worker", **SETTLED))
    steps = collector.pushed("conveyor_step_seconds", "worker", step="payments.capture")
    assert list(whole.buckets) == [*LIFE_SECONDS, math.inf]
    assert list(only(steps).buckets) == [*CALL_SECONDS, math.inf]
    assert (whole.unit, whole.count, only(steps).count) == ("s", COUNT, COUNT)
    assert 0 < whole.value < whole.count * 60


def test_a_bucket_leads_once_to_the_trace_of_an_order(
    collector: Collector, told: dict[str, str]
) -> None:
    assert told
    points = [it for points in collector.pushes for it in points if it.process == "worker"]
    exemplars = [e for it in points if it.name == "conveyor_order_seconds" for e in it.exemplars]
    orders = {trace_id for traces in collector.traces().values() for trace_id in traces}
    assert exemplars
    assert {it.trace_id for it in exemplars} <= orders
    assert len(set(exemplars)) == len(exemplars)


def test_the_last_is_pushed_at_the_stop(tmp_path: Path) -> None:
    with collecting() as collector:
        seldom = collector.environment | {"OTEL_METRIC_EXPORT_INTERVAL": SELDOM_MS}
        data = ("--data", tmp_path)
        with Process("up", *data, "--port", 0, "--json", **named("up", seldom)) as up:
            up.ready()
            assert say("stock", "set", "CD", 100, *data).code == 0
            assert collector.pushes == []
            stopped = up.stop()
        assert stopped.code == 0
        put = collector.pushed("conveyor_http_request_seconds", "up", method="PUT")
        assert len(collector.pushes) == 1
        assert only(put).count == 1


def test_a_collector_that_is_away_is_told_of_once_and_keeps_no_order_waiting(
    tmp_path: Path,
) -> None:
    away = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_METRIC_EXPORT_INTERVAL": "50",
        "CONVEYOR_LOG_FORMAT": "json",
    }
    data = ("--data", tmp_path)
    with Process("up", *data, "--port", 0, "--json", **away) as up:
        up.ready()
        assert say("stock", "set", "CD", 100, *data).code == 0
        orders = write_lines(tmp_path / "orders.jsonl", bodies(COUNT))
        replayed = say("replay", orders, "--json", *data).json()
        stopped = up.stop()
    said = lines(stopped, "away")
    assert stopped.code == 0
    assert replayed["by_status"] == {"completed": COUNT}
    assert sorted(str(it["dependency"]) for it in said) == [
        "the collector of metrics",
        "the collector of traces",
    ]
    assert all("export" in str(it["cause"]) for it in said)
    assert "opentelemetry" not in stopped.err


def test_a_collector_that_is_back_is_told_what_there_is(tmp_path: Path) -> None:
    with collecting() as collector:
        collector.status = 404
        heard = collector.environment | {"CONVEYOR_LOG_FORMAT": "json"}
        with Process("up", "--data", tmp_path, "--port", 0, "--json", **heard) as up:
            up.ready()
            until(lambda: collector.refused)
            collector.status = 200
            until(lambda: collector.pushes)
            stopped = up.stop()
    assert [it["level"] for it in lines(stopped, "away")] == ["WARNING"]
    assert [it["dependency"] for it in lines(stopped, "back")] == ["the collector of metrics"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OTEL_METRICS_EXPORTER", "console", "'console' is none of otlp, prometheus, none"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc", "'grpc' is not spoken here"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1m", "'1m' is no number of milliseconds"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "'0' is no number of milliseconds"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            "delta",
            "'delta' is not spoken here: set cumulative",
        ),
    ],
)
def test_what_cannot_be_had_is_told_with_what_to_do(
    tmp_path: Path, name: str, value: str, says: str
) -> None:
    asked = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:9", name: value}
    said = say("up", "--data", tmp_path, "--port", 0, **asked)
    assert said.code == 2
    assert f"{name}: {says}" in said.err


@pytest.mark.parametrize(
    "off",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_METRICS_EXPORTER": "prometheus"},
        {},
    ],
)
def test_nothing_is_pushed_unless_the_standard_variables_ask(
    monkeypatch: pytest.MonkeyPatch, off: dict[str, str]
) -> None:
    monkeypatch.setitem(sys.modules, "conveyor.adapters.otel", None)
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"} if off else {}
    assert open_figures_push(endpoint | off, 0) is None
