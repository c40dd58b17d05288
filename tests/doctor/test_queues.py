"""Provision makes queues, and doctor finds each way in which one differs from what it makes."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import pytest
from tests.cli.driver import say
from tests.doctor.between import Between
from tests.doctor.conftest import Environment
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, SqsServer

from conveyor.adapters.sqs import SqsAddress, SqsQueues
from conveyor.adapters.sqs.provisioning import CHANGED, LEFT, MADE, Provisioned, Provisioner
from conveyor.adapters.steady_clock import MachineClock
from conveyor.core.ambient import Ambient
from conveyor.core.queue import QueueSpec
from conveyor.operations.doctor import queues as checks
from conveyor.operations.doctor.queues import look
from conveyor.settings import Settings

pytestmark = pytest.mark.anyio
REGION = "eu-west-1"
KEY = "alias/orders"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def credentials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AWS_TEST_ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


@cache
def client_of(endpoint: str) -> Any:
    return boto3.client("sqs", region_name=REGION, endpoint_url=endpoint)


@dataclass
class Pair:
    """A queue and its dead-letter queue on a server, under a name that nothing else has."""

    queues: SqsQueues
    spec: QueueSpec
    sqs: Any
    settings: Settings

    async def provision(self, *, dry_run: bool = False) -> list[Provisioned]:
        provisioner = Provisioner(self.queues, kms_key=self.settings.queue_kms_key, dry_run=dry_run)
        return await self.queues.provision_with(provisioner, [self.spec])

    async def differences(self) -> list[str]:
        """Name what doctor finds, of both queues."""
        names = (self.spec.name, self.spec.dead_letters().name)
        looks = [await look(self.queues, self.queues.queue(name), self.settings) for name in names]
        return [it.says.partition(" ")[0] for _, findings in looks for it in findings]

    def url(self, name: str) -> str:
        on_sqs = self.queues.queue(name).name
        return str(self.sqs.get_queue_url(QueueName=on_sqs)["QueueUrl"])

    def arn(self, name: str) -> str:
        asked = {"QueueUrl": self.url(name), "AttributeNames": ["QueueArn"]}
        return str(self.sqs.get_queue_attributes(**asked)["Attributes"]["QueueArn"])

    def plant(self, changed: dict[str, str]) -> None:
        self.sqs.set_queue_attributes(QueueUrl=self.url(self.spec.name), Attributes=changed)


@pytest.fixture
async def pair(request: pytest.FixtureRequest, sqs: SqsServer) -> AsyncIterator[Pair]:
    """A pair that is provisioned, of the kind and with the key that the test's parameters say."""
    fifo, key = getattr(request, "param", (False, ""))
    async with opened(sqs.endpoint_url, fifo=fifo, key=key) as made:
        await made.provision()
        yield made


@asynccontextmanager
async def opened(endpoint: str, *, fifo: bool = False, key: str = "") -> AsyncIterator[Pair]:
    spec = QueueSpec(f"q{uuid.uuid4().hex}", fifo=fifo)
    address = SqsAddress(REGION, "d-", endpoint)
    queues = SqsQueues(address, [spec], Ambient(MachineClock(), random.Random(1)))
    await queues.open()
    client = client_of(endpoint)
    yield Pair(queues, spec, client, Settings(queue_kms_key=key))
    await queues.close()


STANDARD, FIFO, KEYED = (False, ""), (True, ""), (False, KEY)
OPEN_TO_ALL = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
DIFFERENCES: list[tuple[tuple[bool, str], str, str]] = [
    (STANDARD, "VisibilityTimeout", "31"),
    (STANDARD, "MessageRetentionPeriod", "60"),
    (STANDARD, "ReceiveMessageWaitTimeSeconds", "0"),
    (STANDARD, "DelaySeconds", "5"),
    (STANDARD, "MaximumMessageSize", "1024"),
    (STANDARD, "SqsManagedSseEnabled", "false"),
    (STANDARD, "Policy", ""),
    (STANDARD, "Policy", json.dumps({"Statement": [OPEN_TO_ALL]})),
    (STANDARD, "RedrivePolicy", "to itself"),
    (STANDARD, "RedrivePolicy", "too soon"),
    (FIFO, "DeduplicationScope", "queue"),
    (FIFO, "FifoThroughputLimit", "perQueue"),
    (FIFO, "ContentBasedDeduplication", "true"),
    (KEYED, "KmsMasterKeyId", ""),
    (KEYED, "KmsMasterKeyId", "alias/another"),
    (KEYED, "KmsDataKeyReusePeriodSeconds", "60"),
]


@pytest.mark.parametrize(
    ("pair", "attribute", "planted"),
    DIFFERENCES,
    indirect=["pair"],
    ids=[f"{name}-{number}" for number, (_, name, _) in enumerate(DIFFERENCES)],
)
async def test_each_difference_is_named_and_put_right(
    pair: Pair, attribute: str, planted: str
) -> None:
    assert await pair.differences() == []
    if attribute == "RedrivePolicy":
        name, most = {
            "to itself": (pair.spec.name, pair.spec.max_receives),
            "too soon": (pair.spec.dead_letters().name, 3),
        }[planted]
        planted = json.dumps({"deadLetterTargetArn": pair.arn(name), "maxReceiveCount": most})
    pair.plant({attribute: planted})

    named = await pair.differences()
    would = await pair.provision(dry_run=True)
    still = await pair.differences()
    done = await pair.provision()

    assert named == still == [attribute if attribute != "Policy" else "its"]
    for said in (would, done):
        assert [(it.action, [c.attribute for c in it.changes]) for it in said] == [
            (LEFT, []),
            (CHANGED, [attribute]),
        ]
    assert await pair.differences() == []
    assert [it.action for it in await pair.provision()] == [LEFT, LEFT]


async def test_dead_letters_that_go_with_their_source_are_named(pair: Pair) -> None:
    """On standard queues their time counts from when they were first sent."""
    dead = pair.url(pair.spec.dead_letters().name)
    four_days = {"MessageRetentionPeriod": str(pair.spec.retention_seconds)}
    pair.sqs.set_queue_attributes(QueueUrl=dead, Attributes=four_days)
    assert await pair.differences() == ["MessageRetentionPeriod"]
    await pair.provision()
    assert await pair.differences() == []


async def test_a_policy_of_ones_own_stays_beside_ours(pair: Pair) -> None:
    pair.plant({"Policy": json.dumps({"Statement": [OPEN_TO_ALL]})})
    await pair.provision()
    policy = pair.sqs.get_queue_attributes(
        QueueUrl=pair.url(pair.spec.name), AttributeNames=["Policy"]
    )["Attributes"]["Policy"]
    first, ours = json.loads(policy)["Statement"]
    assert first == OPEN_TO_ALL
    assert (ours["Effect"], ours["Condition"]["Bool"]) == (
        "Deny",
        {"aws:SecureTransport": "false"},
    )


async def test_a_customers_key_stays_where_none_is_asked_for(pair: Pair) -> None:
    pair.plant({"KmsMasterKeyId": KEY, "SqsManagedSseEnabled": "false"})
    assert await pair.differences() == []
    assert [it.action for it in await pair.provision()] == [LEFT, LEFT]


async def test_a_dry_run_makes_nothing(sqs: SqsServer) -> None:
    async with opened(sqs.endpoint_url) as pair:
        assert [it.action for it in await pair.provision(dry_run=True)] == [MADE, MADE]
        assert await pair.differences() == ["there", "there"]
        assert [it.action for it in await pair.provision()] == [MADE, MADE]


@pytest.mark.parametrize(("kind", "said"), [("forgotten", "does not show it"), ("unknown", "Unk")])
async def test_what_a_service_does_not_keep_is_told(rules: Between, kind: str, said: str) -> None:
    getattr(rules, kind).add("Policy")
    getattr(rules, kind).add("ReceiveMessageWaitTimeSeconds")
    async with opened(rules.endpoint_url) as pair:
        for done in await pair.provision():
            lost = {it.attribute: it.cause for it in done.not_kept}
            assert lost.keys() == {"Policy", "ReceiveMessageWaitTimeSeconds"}
            assert all(said in cause for cause in lost.values())
            assert done.action == MADE
        assert await pair.differences() == ["ReceiveMessageWaitTimeSeconds", "its"] * 2


def found(environment: Environment, check: str) -> dict[str, Any]:
    """Give doctor's findings of a kind, by what they are about."""
    report = json.loads(say("doctor", "--json", **environment).out)
    return {it["subject"]: it for it in report["checks"] if it["check"] == check}


def test_a_deployment_that_is_as_provisioned_has_nothing_wrong(provisioned: Environment) -> None:
    said = say("doctor", "--json", **provisioned)
    report = said.json()
    assert report["ok"]
    assert {it["check"] for it in report["checks"]} == {
        "clock",
        "cost",
        "database",
        "extensions",
        "keys",
        "lag",
        "permissions",
        "queues",
        "settings",
        "visibility",
        "workers",
    }
    worker = report["policies"]["worker"]["Statement"]
    assert "sqs:ReceiveMessage" in worker[0]["Action"]
    assert "sqs:ReceiveMessage" not in worker[1]["Action"]
    assert all("*" not in arn for it in worker for arn in it["Resource"])


def test_what_is_missing_is_told_with_what_to_do(provisioned: Environment) -> None:
    other = provisioned["CONVEYOR_QUEUE_URL"].replace("well-", "nowhere-")
    said = say("doctor", **provisioned | {"CONVEYOR_QUEUE_URL": other})
    assert said.code == 1
    assert "nowhere-bookings-dead.fifo" in said.out
    assert "conveyor queues provision" in said.out


@pytest.mark.parametrize(
    "operation",
    [
        "GetQueueAttributes",
        "ReceiveMessage",
        "SendMessage",
        "DeleteMessage",
        "ChangeMessageVisibility",
    ],
)
def test_a_right_that_is_refused_is_named(
    provisioned: Environment, rules: Between, operation: str
) -> None:
    rules.refused.add(operation)
    queues = f"sqs://{REGION}/well-?endpoint_url={rules.endpoint_url}"
    environment = provisioned | {"CONVEYOR_QUEUE_URL": queues}
    said = say("doctor", "--json", **environment)
    failed = [it for it in json.loads(said.out)["checks"] if it["status"] == "failure"]
    assert said.code == 1
    assert failed
    assert all(operation in f"{it['subject']} {it['says']}" for it in failed)


def test_a_queue_that_nobody_takes_from_is_named(
    provisioned: Environment, sqs: SqsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "WATCH_SECONDS", 0.1)
    client = client_of(sqs.endpoint_url)
    urls = [
        client.get_queue_url(QueueName=f"well-{it}")["QueueUrl"] for it in ("orders", "orders-dead")
    ]
    for url in urls:
        client.send_message(QueueUrl=url, MessageBody="{}")
    try:
        waiting = found(provisioned, "workers")
        client.send_message(QueueUrl=urls[0], MessageBody="{}")
        client.receive_message(QueueUrl=urls[0], MaxNumberOfMessages=1)
        taken = found(provisioned, "workers")
        messages = client.receive_message(QueueUrl=urls[1], AttributeNames=["All"])["Messages"]
    finally:
        for url in urls:
            client.purge_queue(QueueUrl=url)
    assert waiting["well-orders"]["status"] == "warning"
    assert "conveyor work orders" in waiting["well-orders"]["todo"]
    assert "dead letters wait" in waiting["well-orders-dead"]["says"]
    assert taken["well-orders"]["status"] == "ok"
    assert messages[0]["Attributes"]["ApproximateReceiveCount"] == "1"  # doctor has not taken it


def test_no_queue_service_is_one_finding(provisioned: Environment) -> None:
    queues = f"sqs://{REGION}/well-?endpoint_url=http://127.0.0.1:1"
    failed = found(provisioned | {"CONVEYOR_QUEUE_URL": queues}, "queues")
    assert len(failed) == 1
    assert "127.0.0.1:1" in failed["queues"]["says"]
