"""A rush on few seats, with a kill in between: they go to the earliest, none twice, none lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.rush import WINDOW, Rush
from benchmarks.strict_order import rush_embedded, rush_on_servers
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server

pytestmark = pytest.mark.timeout(300)  # it runs many processes


def test_8_000_requests_for_20_flights_in_one_process_that_is_killed(tmp_path: Path) -> None:
    rush = Rush(requests=8_000, flights=20, producers=8)
    figures = rush_embedded(tmp_path, rush).figures
    assert (figures["requests"], figures["booked"]) == (8_000, 2_000)
    under_way_at_the_kill = rush.producers * WINDOW
    assert figures["timed"] >= rush.requests - under_way_at_the_kill


def test_8_producers_and_4_workers_on_postgres_and_sqs_of_which_one_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in AWS_TEST_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    rush = Rush(requests=800, flights=4, producers=8)
    with postgres_server(durable=False) as postgres, ministack_server() as sqs:
        url = postgres.fresh_database()
        figures = rush_on_servers(tmp_path, rush, url, sqs.endpoint_url).figures
    assert figures == {"requests": 800, "booked": 400, "timed": 800}
