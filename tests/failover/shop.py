"""A shop as it is deployed, with customers who come again until they are answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import psycopg
from tests.cli.driver import PATIENCE_SECONDS, Process, Said, say, until
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.waiting import wait_until

TOTAL = 1_177
ORDER = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1}],
    "total": TOTAL,
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US"},
}
SCOPES = "place,read,operate,audit"
# What a process that died had in hand comes again soon.
QUICK = {
    "CONVEYOR_VISIBILITY_SECONDS": "10",
    "CONVEYOR_CALL_TIMEOUT_SECONDS": "5",
    "CONVEYOR_GRACE_SECONDS": "4",
    "CONVEYOR_RENEWAL_SCAN_SECONDS": "0",
}
OPEN = "SELECT count(*) FROM orders WHERE settled_at IS NULL AND status <> 'parked'"
STATUSES = "SELECT status, count(*) FROM orders GROUP BY status"
UNDER_WAY = "SELECT count(*) FROM calls WHERE state = 'intended'"
TWICE = """
    SELECT order_id FROM provider_operations WHERE approved
    GROUP BY order_id, operation HAVING count(*) > 1
"""


@dataclass
class Shop:
    """The processes' environment, and what customers were told."""

    environment: dict[str, str]
    running: ExitStack
    served: dict[str, str] = field(default_factory=dict)
    answered: list[str] = field(default_factory=list)

    def set_up(self) -> None:
        """Make tables, queues, and a key."""
        assert say("migrate", **self.environment).code == 0
        assert say("queues", "provision", **self.environment).code == 0
        made = say("keys", "create", "--scopes", SCOPES, **self.environment)
        self.served["CONVEYOR_API_KEY"] = made.out.strip()

    def start(self, *arguments: object) -> Process:
        """Begin a process, and wait until it is ready."""
        process = self.running.enter_context(Process(*arguments, "--json", **self.environment))
        said = process.ready()
        if arguments[0] == "serve":
            self.served["CONVEYOR_SERVER"] = said["url"]
        return process

    def open(self) -> None:
        """Begin to serve, with goods to sell."""
        self.start("serve", "--port", 0)
        assert say("stock", "set", "CD", 1_000_000, **self.served).code == 0

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """Give a client of the API."""
        headers = {"Authorization": f"Bearer {self.served['CONVEYOR_API_KEY']}"}
        server = self.served["CONVEYOR_SERVER"]
        with httpx.Client(base_url=server, headers=headers, timeout=PATIENCE_SECONDS) as client:
            yield client

    def place(self, many: int, customer: str) -> list[str]:
        """Place so many orders, each until it is answered with 202; give their ids."""
        with self.client() as client:
            return [self._place(client, f"{customer}-{number}") for number in range(many)]

    def place_until(self, enough: Event, customer: str) -> None:
        """Place one order after the other, each until it is answered, until it is enough."""
        with self.client() as client:
            for number in count():
                if enough.is_set():
                    return
                self._place(client, f"{customer}-{number}")

    def _place(self, client: httpx.Client, key: str) -> str:
        order_id = _place(client, key)
        self.answered.append(order_id)
        return order_id

    def audit(self) -> Said:
        """Ask for an audit."""
        return say("audit", "--json", **self.served)

    def story(self, order_id: str) -> Said:
        """Ask for an order's story."""
        return say("explain", order_id, **self.served)


@contextmanager
def shop_on(data: Path, database_url: str, **settings: str) -> Iterator[Shop]:
    """Deploy on this PostgreSQL, with an SQS server; nothing runs yet, and nothing is set up."""
    with ministack_server() as sqs, ExitStack() as running:
        environment = (
            AWS_TEST_ENVIRONMENT
            | QUICK
            | {
                "CONVEYOR_DATABASE_URL": database_url,
                "CONVEYOR_QUEUE_URL": f"sqs://eu-west-1/shop-?endpoint_url={sqs.endpoint_url}",
                "CONVEYOR_DATA": str(data),
            }
        )
        yield Shop(environment | settings, running)


def counted(url: str, question: str) -> int:
    """Give the number that a query gives."""
    with psycopg.connect(url, autocommit=True) as connection:
        [number] = connection.execute(question.encode()).fetchone() or [0]
    return int(number)


def rows(url: str, query: str) -> list[Any]:
    """Give what a query gives."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def all_settle(url: str) -> dict[str, int]:
    """Wait until no order is open, and give how many ended how."""
    until(lambda: counted(url, OPEN) == 0)
    return dict(rows(url, STATUSES))


def _place(client: httpx.Client, key: str) -> str:
    def post() -> httpx.Response:
        answer = client.post("/v1/orders", json=ORDER, headers={"Idempotency-Key": key})
        assert answer.is_success or answer.is_server_error, answer.text
        return answer

    answer = wait_until(post, lambda it: it.status_code == HTTPStatus.ACCEPTED, PATIENCE_SECONDS)
    return str(answer.json()["id"])
