"""A deployment of functions: the package, PostgreSQL, SQS, and what Lambda does about them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from tests.aws.event_source import EventSource
from tests.aws.runtime import Function
from tests.cli.driver import say
from tests.servers import AWS_TEST_ENVIRONMENT, Postgres

MODULE = "conveyor.entrypoints.aws_lambda"
REGION = "eu-west-1"
FIFO = frozenset({"bookings"})
SHOP = ("intake", "orders", "payments", "inventory", "shipping")
PATIENCE_SECONDS = 120.0
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

    def function(self, module: str, seconds: float = 60.0, **changed: str) -> Function:
        environment = self.environment | changed
        return self.stack.enter_context(
            Function(self.package, f"{MODULE}.{module}.handle", environment, seconds)
        )

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
        path, _, query = path.partition("?")
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        http = {"method": method, "path": path, "sourceIp": "127.0.0.1"}
        answer = api.invoke(
            {
                "version": "2.0",
                "routeKey": "$default",
                "rawPath": path,
                "rawQueryString": query,
                "headers": headers | more,
                "requestContext": {"http": http},
                "body": None if body is None else json.dumps(body),
                "isBase64Encoded": False,
            }
        )
        text = answer["body"]
        if answer.get("isBase64Encoded"):
            text = base64.b64decode(text).decode()
        return answer["statusCode"], json.loads(text) if text else None

    def place(self, api: Function, **changed: Any) -> str:
        status, placed = self.ask(api, "POST", "/v1/orders", ORDER | changed)
        assert status == 202, placed
        return str(placed["id"])

    def status(self, order_id: str) -> str:
        shown = say("orders", "show", order_id, "--json", **self.environment).json()
        return str(shown["status"])

    def is_clean(self) -> bool:
        return bool(say("audit", "--json", **self.environment).json()["clean"])

    def trouble(self) -> list[str]:
        """Give what did not go smoothly: invocations that failed, messages that came back."""
        return [it for source in self.sources for it in (*source.errors, *source.failed)]


@contextmanager
def deployed(
    package: Path, postgres: Postgres, endpoint: str, prefix: str, **settings: str
) -> Iterator[Deployment]:
    """Set up a database, queues, stock and a key."""
    environment = AWS_TEST_ENVIRONMENT | settings
    environment["CONVEYOR_DATABASE_URL"] = postgres.fresh_database()
    environment["CONVEYOR_QUEUE_URL"] = f"sqs://{REGION}/{prefix}?endpoint_url={endpoint}"
    for command in (("migrate",), ("queues", "provision"), ("stock", "set", "CD", 10_000)):
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
