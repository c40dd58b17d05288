"""The template of `deploy/aws`, deployed by CloudFormation: its functions, and their rights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit

import psycopg
import pytest
from tests.aws.deployment import ORDER, TICK_SECONDS, ask, until
from tests.aws.stack import REGION, SERVICES, Stack, digest
from tests.cli.driver import say
from tests.deploy.actions import ACTIONS
from tests.deploy.rules import of_type
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, SqsServer, ministack_server
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.timeout(300)  # eight functions start, cold

PREFIX = "shop-"
FLIGHT = "flight,date,seats\nUA1,2013-01-01,5\n"
JOURNEY = {
    "flow": "travel",
    "customer": {"id": "1"},
    "currency": "USD",
    "legs": [{"flight": "UA1", "date": "2013-01-01", "quantity": 1}],
    "total": 14_900,
    "payment": {"method": "card_ok"},
}
INTAKE = {"orderId": "o1", "userId": "u1", "items": ["CD"], "total": 11.77}
FLAKY = ORDER | {"payment": {"method": "card_flaky"}}
NOT_OURS = "not ours"
AT_ONCE = 2
"""Invocations at a time for one queue: the fewest that the template, and Lambda, take."""
BY_THE_CODE = ("sqs:", "secretsmanager:")
"""Of a role's actions those that are seen here; the others Lambda, its network and SQS take."""


@pytest.fixture
def stack(
    archive: Path, package: Path, servers: tuple[Postgres, SqsServer]
) -> Iterator[tuple[Stack, dict[str, str]]]:
    """The template deployed, and the environment of whoever administers it."""
    database = urlsplit(servers[0].fresh_database())
    with ministack_server(application="tests.aws.listening_app:app", services=SERVICES) as aws:
        stack = Stack(aws.endpoint_url, package, {})
        vault = stack.client("secretsmanager")
        webhook = {"CONVEYOR_WEBHOOK_SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}
        credential = {"username": database.username, "password": "any"}
        arns = [
            vault.create_secret(Name=name, SecretString=json.dumps(text))["ARN"]
            for name, text in (("webhook", webhook), ("database", credential))
        ]
        stack.parameters = {
            "Prefix": PREFIX,
            "PaymentProvider": "simulated",
            "Carrier": "simulated",
            "DatabaseUrl": f"postgresql://{database.hostname}:{database.port}{database.path}",
            "QueueConcurrency": str(AT_ONCE),
            "WebhookSecret": arns[0],
            "DatabaseSecret": arns[1],
        }
        stack.deploy(archive)
        queues = f"sqs://{REGION}/{PREFIX}?endpoint_url={aws.endpoint_url}"
        administers = AWS_TEST_ENVIRONMENT | {
            "CONVEYOR_DATABASE_URL": database.geturl(),
            "CONVEYOR_QUEUE_URL": queues,
        }
        with closing(stack.running):
            yield stack, administers


def test_orders_are_carried_with_the_rights_that_the_template_gives(
    stack: tuple[Stack, dict[str, str]], archive: Path
) -> None:
    deployed, environment = stack
    for name, _ in of_type(deployed.template, "AWS::Lambda::Function"):
        assert deployed.code_of(name) == digest(archive)
    for command in (("migrate",), ("stock", "set", "CD", 100)):
        assert say(*command, **environment).code == 0
    assert say("bookings", "import", "-", stdin=FLIGHT, **environment).code == 0
    scopes = "place,read,operate,audit"
    key = say("keys", "create", "--scopes", scopes, **environment).out.strip()
    sqs = deployed.client("sqs")
    sqs.send_message(QueueUrl=deployed.queue_url("intakeQueue"), MessageBody=json.dumps(INTAKE))
    sqs.send_message(QueueUrl=deployed.queue_url("paymentsQueue"), MessageBody=NOT_OURS)

    api, tick = deployed.function("ApiFunction"), deployed.function("TickFunction", TICK_SECONDS)
    bodies = [ORDER, FLAKY, JOURNEY]
    assert [ask(api, key, "POST", "/v1/orders", body)[0] for body in bodies] == [202] * 3
    with psycopg.connect(environment["CONVEYOR_DATABASE_URL"]) as connection:
        connection.execute("UPDATE orders SET expected_at = 0")  # overdue: a tick looks after them
    tick.invoke({})
    sources = deployed.feed_all()

    until(lambda: statuses(environment) == {"completed": 4}, meanwhile=lambda: tick.invoke({}))
    assert say("audit", "--json", **environment).json()["clean"]
    assert not [it for source in sources for it in source.errors]
    assert max(source.most_at_once for source in sources) <= AT_ONCE
    drained: LiteralString = "SELECT count(*) FROM dead_messages"
    until(lambda: count(environment, drained) == 1, meanwhile=lambda: tick.invoke({}))
    sqs.send_message(QueueUrl=deployed.queue_url("paymentsDeadQueue"), MessageBody=NOT_OURS)
    discard_poison(api, key)
    heard = deployed.heard()
    for role in ("QueueRole", "ApiRole", "TickRole"):
        assert heard[role] == {it for it in ACTIONS[role] if it.startswith(BY_THE_CODE)}, role


def discard_poison(api: Any, key: str) -> None:
    """Give up both dead letters: that which the tick has drained, and that still in its queue."""
    letters = ask(api, key, "GET", "/v1/dead-letters")[1]["messages"]
    assert [it["body"] for it in letters] == [NOT_OURS] * 2
    for letter in letters:
        discard = f"/v1/dead-letters/{letter['id']}/discard"
        assert ask(api, key, "POST", discard, {"reason": "nobody knows it"})[0] == 202


def count(environment: dict[str, str], query: LiteralString) -> int:
    """Ask the database for a number."""
    with psycopg.connect(environment["CONVEYOR_DATABASE_URL"]) as connection:
        row = connection.execute(query).fetchone()
    assert row
    return int(row[0])


def statuses(environment: dict[str, str]) -> dict[str, int]:
    with psycopg.connect(environment["CONVEYOR_DATABASE_URL"]) as connection:
        rows = connection.execute("SELECT status, count(*) FROM orders GROUP BY status").fetchall()
        return dict(rows)
