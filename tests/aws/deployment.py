"""A deployment of functions: the package, PostgreSQL, SQS, and what Lambda does about them."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psycopg
from tests.aws.event_source import EventSource, arn_of, event_of, receive
from tests.aws.runtime import Function
from tests.cli.driver import SIMULATED, say
from tests.servers.ministack import AWS_TEST_ENVIRONMENT

MODULE = "conveyor.entrypoints.aws_lambda"
REGION = "eu-west-1"
FIFO = frozenset({"bookings"})
SHOP = ("intake", "orders", "payments", "inventory", "shipping")
PATIENCE_SECONDS = 120.0
TICK_SECONDS = 6.0
ORDER = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1}],
    "total": 1_177,
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US", "city": "Boston"},
}


@dataclass
class Deployment:
    """What was deployed."""

    package: Path
    environment: dict[str, str]
    prefix: str
    sqs: Any
    key: str
    stack: ExitStack
    sources: list[EventSource] = field(default_factory=list)

    def function(
        self, module: str, changed: Mapping[str, str] | None = None, told: float | None = None
    ) -> Function:
        environment = {**self.environment, **(changed or {})}
        handler = f"{MODULE}.{module}.handle"
        return self.stack.enter_context(Function(self.package, handler, environment, told=told))

    def tick(self) -> Function:
        """Give a function that tends for some seconds only, so that tests see its end."""
        return self.function("tick", told=TICK_SECONDS)

    def feed(self, function: Function, *services: str, **options: Any) -> list[EventSource]:
        """Let queues call a function, from now on."""
        sources = [
            EventSource(self.sqs, self.name_of(service), function, **options)
            for service in services
        ]
        self.sources += sources
        return [self.stack.enter_context(source) for source in sources]

    def name_of(self, service: str) -> str:
        base = service.removesuffix("-dead")
        return f"{self.prefix}{service}{'.fifo' if base in FIFO else ''}"

    def url_of(self, service: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=self.name_of(service))["QueueUrl"])

    def ask(self, api: Function, method: str, path: str, body: Any = None, **more: str) -> Any:
        """Send a request as a function URL does; gives the status and what was answered."""
        return ask(api, self.key, method, path, body, **more)

    def place(self, api: Function, body: Any = ORDER, **headers: str) -> str:
        status, placed = self.ask(api, "POST", "/v1/orders", body, **headers)
        assert status == 202, placed
        return str(placed["id"])

    def message(self, service: str) -> dict[str, Any]:
        """Give the event of the next message of a queue."""
        name = self.name_of(service)
        return event_of(arn_of(name), receive(self.sqs, self.url_of(service), 1))

    def statuses(self) -> Counter[str]:
        """Count the orders that there are in each status."""
        with psycopg.connect(self.environment["CONVEYOR_DATABASE_URL"]) as connection:
            rows = connection.execute("SELECT status, count(*) FROM orders GROUP BY status")
            return Counter(dict(rows.fetchall()))

    def settle(self, **wanted: int) -> None:
        """Let time pass until so many orders are in these statuses, and none in another."""
        tick = self.tick()
        until(lambda: self.statuses() == wanted, meanwhile=lambda: tick.invoke({}))
        assert self.is_clean()

    def is_clean(self) -> bool:
        return bool(say("audit", "--json", **self.environment).json()["clean"])

    def trouble(self) -> list[str]:
        """Give what did not go smoothly: invocations that failed, messages that came back."""
        return [it for source in self.sources for it in (*source.errors, *source.failed)]


def ask(
    api: Function, key: str, method: str, path: str, body: Any = None, **more: str
) -> tuple[int, Any]:
    """Send a request as a function URL does; gives the status and what was answered."""
    answer = api.invoke(request_of(method, path, key, body, **more))
    text = answer["body"]
    if answer.get("isBase64Encoded"):
        text = base64.b64decode(text).decode()
    return answer["statusCode"], json.loads(text) if text else None


def request_of(method: str, path: str, key: str, body: Any = None, **more: str) -> dict[str, Any]:
    """Give the event that a function URL makes of a request."""
    path, _, query = path.partition("?")
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers | more,
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "127.0.0.1"}},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


@contextmanager
def deployed(
    package: Path, database: str, endpoint: str, prefix: str, **settings: str
) -> Iterator[Deployment]:
    """Set up queues, stock and a key; `database` has its tables."""
    environment = AWS_TEST_ENVIRONMENT | SIMULATED | settings
    environment["CONVEYOR_DATABASE_URL"] = database
    environment["CONVEYOR_QUEUE_URL"] = f"sqs://{REGION}/{prefix}?endpoint_url={endpoint}"
    for command in (("queues", "provision"), ("stock", "set", "CD", 10_000)):
        assert say(*command, **environment).code == 0
    scopes = "place,read,operate,audit"
    key = say("keys", "create", "--scopes", scopes, **environment).out.strip()
    sqs = boto3.client(
        "sqs",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    with ExitStack() as stack:
        yield Deployment(package, environment, prefix, sqs, key, stack)


def until(holds: Callable[[], bool], *, meanwhile: Callable[[], object]) -> None:
    """Wait for something; `meanwhile` takes its time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        meanwhile()
