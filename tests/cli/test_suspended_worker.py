"""A worker whose machine is suspended while it calls: nobody is authorized twice for it."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from tests.cli.driver import Process, say, until
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server

from conveyor.adapters.postgres.creation import beside
from conveyor.core.breaker import LAST_REST_SECONDS

COUNT = 60
ORDER = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1}],
    "total": 1_177,
    "payment": {"method": "card_flaky"},
    "shipping": {"country": "US"},
}
REST_SECONDS = 3 * LAST_REST_SECONDS
"""Each card fails at first, and most calls of the worker that slept: the provider is paused."""
UNDER_WAY = "SELECT count(*) > 20 FROM calls WHERE state = 'intended'"
TAKEN_UP = "SELECT count(*) > 0 FROM calls WHERE taken > 1 AND state <> 'not_applied'"
ALL_DONE = "SELECT count(*) = %s FROM orders WHERE status = 'completed'"
TWICE = """
    SELECT order_id FROM provider_operations WHERE approved
    GROUP BY order_id, operation HAVING count(*) > 1
"""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A deployment whose leases and calls are short, and whose provider is slow."""
    with postgres_server(durable=False) as postgres, ministack_server() as sqs:
        yield AWS_TEST_ENVIRONMENT | {
            "CONVEYOR_DATABASE_URL": postgres.fresh_database(),
            "CONVEYOR_QUEUE_URL": f"sqs://eu-west-1/shop-?endpoint_url={sqs.endpoint_url}",
            "CONVEYOR_DATA": str(tmp_path),
            "CONVEYOR_PAYMENT_LATENCY_SECONDS": "2",
            "CONVEYOR_RENEWAL_SCAN_SECONDS": "0",
            "CONVEYOR_VISIBILITY_SECONDS": "10",
            "CONVEYOR_CALL_TIMEOUT_SECONDS": "5",
            "CONVEYOR_BACKOFF_CAP_SECONDS": "4",
        }


@pytest.mark.timeout(400)  # the rests of a provider that is paused, and whatever runs beside it
def test_a_suspended_worker_lets_nobody_be_authorized_twice(environment: dict[str, str]) -> None:
    assert say("migrate", **environment).code == 0
    assert say("queues", "provision", **environment).code == 0
    key = say("keys", "create", "--scopes", "place,read,operate,audit", **environment).out.strip()
    with ExitStack() as stack:
        api = stack.enter_context(Process("serve", "--port", 0, "--json", **environment))
        workers = [
            stack.enter_context(Process("work", "all", "--json", **environment)) for _ in range(2)
        ]
        served = {"CONVEYOR_SERVER": api.ready()["url"], "CONVEYOR_API_KEY": key}
        for worker in workers:
            worker.ready()
        say("stock", "set", "CD", 1_000, **served)
        url = environment["CONVEYOR_DATABASE_URL"]
        database = stack.enter_context(psycopg.connect(url, autocommit=True))
        with httpx.Client(
            base_url=served["CONVEYOR_SERVER"], headers={"Authorization": f"Bearer {key}"}
        ) as client:
            for _ in range(COUNT):
                client.post("/v1/orders", json=ORDER).raise_for_status()
        until(lambda: ask(database, UNDER_WAY))
        workers[0].popen.send_signal(signal.SIGSTOP)
        until(lambda: ask(database, TAKEN_UP))  # its leases are over, and another calls
        workers[0].popen.send_signal(signal.SIGCONT)
        until(lambda: ask(database, ALL_DONE, COUNT), REST_SECONDS)
        books = stack.enter_context(psycopg.connect(beside(url, "_simulated")))
        twice = books.execute(TWICE).fetchall()
        audited = say("audit", **served)

    assert twice == []
    assert audited.code == 0, audited.out


def ask(database: psycopg.Connection[Any], question: str, *values: int) -> bool:
    """Put a question that has one answer."""
    row = database.execute(question, values or None).fetchone()
    return bool(row and row[0])
