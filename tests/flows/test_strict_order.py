"""A rush on few seats, with a kill in between: they go to the earliest, none twice, none lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.rush import SEATS_A_FLIGHT, WINDOW, Rush
from benchmarks.strict_order import rush_embedded, rush_on_servers
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server

pytestmark = pytest.mark.timeout(300)  # it runs many processes


@pytest.mark.parametrize(
    ("requests", "flights"), [(1_000, 3), pytest.param(8_000, 20, marks=pytest.mark.soak)]
)
def test_a_rush_on_one_process_that_is_killed(tmp_path: Path, requests: int, flights: int) -> None:
    rush = Rush(requests=requests, flights=flights, producers=8)
    figures = rush_embedded(tmp_path, rush).figures
    assert (figures["requests"], figures["booked"]) == (requests, flights * SEATS_A_FLIGHT)
    under_way_at_the_kill = rush.producers * WINDOW
    assert figures["timed"] >= rush.requests - under_way_at_the_kill


@pytest.mark.parametrize(
    ("rush", "workers"),
    [(Rush(240, 2, 2), 2), pytest.param(Rush(800, 4, 8), 4, marks=pytest.mark.soak)],
    ids=["a few", "many"],
)
def test_workers_on_postgres_and_sqs_of_which_one_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rush: Rush, workers: int
) -> None:
    for name, value in AWS_TEST_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with postgres_server(durable=False) as postgres, ministack_server() as sqs:
        url = postgres.fresh_database()
        figures = rush_on_servers(tmp_path, rush, url, sqs.endpoint_url, workers).figures
    booked = rush.flights * SEATS_A_FLIGHT
    assert figures == {"requests": rush.requests, "booked": booked, "timed": rush.requests}
