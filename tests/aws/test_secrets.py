"""Functions read their secrets from Secrets Manager, and tell CloudWatch how a system stands."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
import sqlalchemy as sa
from tests.aws.deployment import MODULE, REGION
from tests.aws.runtime import Function, FunctionError
from tests.cli.driver import SIMULATED, say
from tests.servers.migrated import migrated_database
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import Postgres

from conveyor.entrypoints.aws_lambda import secrets, tick
from conveyor.entrypoints.aws_lambda.instance import Instance
from conveyor.entrypoints.aws_lambda.secrets import Secrets
from conveyor.entrypoints.aws_lambda.secrets_manager import SecretError
from conveyor.system.composition import App

WAITING = """INSERT INTO outbox
    (order_id, version, queue, step, group_key, due_at, sequence, held, waits_for)
    SELECT 'o2', 2, 'payments', 'authorize', '', in_an_hour, 0, true, 'payment provider'
    FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint + 3600000 AS in_an_hour) AS clock"""

WEBHOOK = {"CONVEYOR_WEBHOOK_SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}


READY = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/readyz",
    "rawQueryString": "",
    "headers": {},
    "requestContext": {"http": {"method": "GET", "path": "/readyz", "sourceIp": "127.0.0.1"}},
    "isBase64Encoded": False,
}


class Moment:
    """An invocation that has hardly any time."""

    def get_remaining_time_in_millis(self) -> int:
        return 3_200


class Vault:
    """Secrets Manager, and what is kept there."""

    def __init__(self, endpoint: str) -> None:
        self.client = boto3.client(
            "secretsmanager",
            region_name=REGION,
            endpoint_url=endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.environment = AWS_TEST_ENVIRONMENT | {"AWS_ENDPOINT_URL": endpoint}

    def keep(self, text: str) -> str:
        made = self.client.create_secret(Name=uuid.uuid4().hex, SecretString=text)
        return str(made["ARN"])

    def change(self, arn: str, **values: str) -> None:
        self.client.put_secret_value(SecretId=arn, SecretString=json.dumps(values))


@pytest.fixture(scope="module")
def vault() -> Iterator[Vault]:
    with ministack_server(services="sqs,secretsmanager") as server:
        yield Vault(server.endpoint_url)


@pytest.fixture
def surroundings(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is set here is forgotten afterwards."""
    before = dict(os.environ)
    for name, value in vault.environment.items():
        monkeypatch.setenv(name, value)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]


@pytest.fixture
def instance() -> Iterator[Instance]:
    """An instance of a function in this process, which does not end with it as others do."""
    made = Instance()
    yield made
    if made._app is not None:
        made._loop.run_until_complete(made._app.close())
    made._loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def system(vault: Vault, servers: tuple[Postgres, Any]) -> dict[str, str]:
    """The environment of a function whose database URL names no user."""
    url = migrated_database(servers[0])
    queues = f"sqs://{REGION}/s{uuid.uuid4().hex[:8]}-"
    whole = vault.environment | {"CONVEYOR_DATABASE_URL": url, "CONVEYOR_QUEUE_URL": queues}
    assert say("queues", "provision", **whole).code == 0
    return whole | SIMULATED | {"CONVEYOR_DATABASE_URL": url.replace("postgres@", "")}


def test_a_function_reads_its_secrets(package: Path, vault: Vault, system: dict[str, str]) -> None:
    database = vault.keep(json.dumps({"username": "postgres", "password": "p", "port": 5432}))
    arns = f"{vault.keep(json.dumps(WEBHOOK))} {database}"
    with Function(package, f"{MODULE}.api.handle", system | {"CONVEYOR_SECRETS": arns}, 60) as api:
        answer = api.invoke(READY)
    assert answer["statusCode"] == 200, answer


def test_a_secret_that_is_none_is_told_without_what_it_says(
    package: Path, vault: Vault, system: dict[str, str]
) -> None:
    environment = system | {"CONVEYOR_SECRETS": vault.keep("hunter2")}
    with (
        Function(package, f"{MODULE}.api.handle", environment, 60) as api,
        pytest.raises(FunctionError, match="is not JSON as in") as told,
    ):
        api.invoke(READY)
    assert "hunter2" not in str(told.value)


@pytest.mark.usefixtures("surroundings")
def test_a_tick_tells_cloudwatch_how_orders_stand(
    instance: Instance,
    system: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for key, value in system.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("PGUSER", "postgres")
    monkeypatch.setattr(tick, "_instance", instance)
    with psycopg.connect(system["CONVEYOR_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(
            "INSERT INTO parked VALUES ('o1', 'processing', 'payments', '', 's', '', 1, '', 1, 0)"
        )
        connection.execute(WAITING)
    tick.handle({}, Moment())

    line = next(it for it in capsys.readouterr().out.splitlines() if it.startswith('{"_aws"'))
    told = json.loads(line)
    (directive,) = told["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Conveyor"
    assert directive["Dimensions"] == [["System"]]
    names = {it["Name"] for it in directive["Metrics"]}
    assert {"OrdersParked", "OutboxOldestDueSeconds"} <= names <= told.keys()
    assert told["System"] == system["CONVEYOR_QUEUE_URL"].rpartition("/")[2]
    assert (told["OrdersParked"], told["OrdersOpen"], told["OrdersWaiting"]) == (1, 0, 1)


@pytest.mark.usefixtures("surroundings")
def test_a_changed_secret_is_read_within_minutes(vault: Vault) -> None:
    arn = vault.keep(json.dumps({"username": "one", "password": "p"}))
    os.environ["CONVEYOR_SECRETS"] = arn
    read = Secrets()
    assert read.refresh(1_000)
    vault.change(arn, username="two", password="p")
    assert not read.refresh(1_000 + secrets.AGAIN_SECONDS - 1)
    assert os.environ["PGUSER"] == "one"
    assert read.refresh(1_000 + secrets.AGAIN_SECONDS)
    assert os.environ["PGUSER"] == "two"
    assert not read.refresh(1_000 + 2 * secrets.AGAIN_SECONDS)


@pytest.mark.usefixtures("surroundings")
def test_what_is_known_goes_on_while_secrets_cannot_be_read(vault: Vault) -> None:
    arn = vault.keep(json.dumps(WEBHOOK))
    os.environ["CONVEYOR_SECRETS"] = arn
    read = Secrets()
    assert read.refresh(0)
    vault.client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    assert not read.refresh(secrets.AGAIN_SECONDS)
    with pytest.raises(SecretError, match="is not to be read"):
        Secrets().refresh(0)


@pytest.mark.usefixtures("surroundings")
def test_an_instance_opens_anew_with_a_new_password(
    instance: Instance,
    vault: Vault,
    system: dict[str, str],
    servers: tuple[Postgres, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = f"r{uuid.uuid4().hex}"
    with psycopg.connect(servers[0].url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} SUPERUSER LOGIN")
    arn = vault.keep(json.dumps({"username": "postgres", "password": "p"}))
    for key, value in (system | {"CONVEYOR_SECRETS": arn}).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(secrets, "AGAIN_SECONDS", 0)

    async def who(app: App) -> str:
        return await app.parts.database.read(
            lambda tx: str(tx.execute(sa.text("SELECT current_user")).scalar_one())
        )

    assert instance.run(who) == "postgres"
    vault.change(arn, username=name, password="p")
    assert instance.run(who) == name
