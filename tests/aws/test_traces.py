"""Functions tell of orders as traces, and an invocation waits for no collector that is away."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.aws.deployment import SHOP, Deployment, deployed, until
from tests.aws.runtime import lay_out
from tests.servers.collector import Span, collecting, whole
from tests.servers.migrated import migrated_database
from tests.servers.ministack import SqsServer
from tests.servers.postgres import Postgres
from tests.servers.process import free_port

from conveyor.entrypoints.aws_lambda.packaging import build

pytestmark = pytest.mark.timeout(300)  # each starts half a dozen processes, cold

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NOBODY_WAITS_MS = "3600000"
"""Only what an invocation hands on at its end is sent."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("archive") / "functions.zip"
    build(target, traces=True)
    return lay_out(target, tmp_path_factory.mktemp("lambda"))


@contextmanager
def functions(
    package: Path, servers: tuple[Postgres, SqsServer], url: str
) -> Iterator[tuple[Deployment, str]]:
    """Deploy functions that tell a collector; gives an order that they have carried."""
    postgres, sqs = servers
    otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": NOBODY_WAITS_MS}
    database, prefix = migrated_database(postgres), f"f{uuid.uuid4().hex[:8]}-"
    with deployed(package, database, sqs.endpoint_url, prefix, **otel) as deployment:
        api = deployment.function("api")
        deployment.feed(deployment.function("queue"), *SHOP)
        order = deployment.place(api, traceparent=f"00-{TRACE}-{SPAN}-01")
        deployment.settle(completed=1)
        yield deployment, order


def is_whole(spans: list[Span]) -> bool:
    return "completed" in {it.name for it in spans} and whole(spans, SPAN)


def test_an_order_that_functions_carry_is_one_trace(
    package: Path, servers: tuple[Postgres, SqsServer]
) -> None:
    with (
        collecting() as collector,
        functions(package, servers, collector.url) as (deployment, order),
    ):
        told_by = deployment.tick()
        until(lambda: is_whole(collector.of_trace(TRACE)), meanwhile=lambda: told_by.invoke({}))
        spans = collector.of_trace(TRACE)
        assert collector.traces()[order] == {TRACE}
        assert collector.pushes == []
    assert {
        "POST /v1/orders",
        "place order",
        "payments.authorize",
        "call payments.capture",
        "shipping.ship",
    } <= {it.name for it in spans}


def test_a_collector_that_is_away_fails_no_invocation(
    package: Path, servers: tuple[Postgres, SqsServer]
) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with functions(package, servers, away) as (deployment, _):
        assert not deployment.trouble()
