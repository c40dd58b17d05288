"""Orders are carried by functions alone: an API, a function of the queues, and a tick."""

from __future__ import annotations

import json

import psycopg
import pytest
from tests.aws.conftest import Deploy
from tests.aws.deployment import SHOP, until
from tests.aws.event_source import arn_of, event_of, receive
from tests.aws.runtime import FunctionError
from tests.servers.migrated import migrated_database
from tests.servers.ministack import SqsServer
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.timeout(300)  # each starts half a dozen processes, cold

MESSAGE = {
    "MessageId": "1",
    "ReceiptHandle": "r",
    "Body": "{}",
    "MD5OfBody": "",
    "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0"},
}
RECEIVES = 21
"""After as many SQS itself gives a message up: more than a fault takes to park its order."""
SHORT = {"CONVEYOR_CALL_TIMEOUT_SECONDS": "2", "CONVEYOR_VISIBILITY_SECONDS": "10"}


def test_an_order_is_carried_by_functions(deploy: Deploy) -> None:
    deployment = deploy()
    api = deployment.function("api")
    deployment.feed(deployment.function("queue"), *SHOP)
    for _ in range(5):
        deployment.place(api)
    body = json.dumps({"orderId": "o1", "userId": "u1", "items": ["CD"], "total": 11.77})
    deployment.sqs.send_message(QueueUrl=deployment.url_of("intake"), MessageBody=body)

    deployment.settle(completed=6)

    status, orders = deployment.ask(api, "GET", "/v1/orders?status=completed")
    assert (status, len(orders["orders"])) == (200, 6)
    assert not deployment.trouble()


@pytest.mark.soak  # workers do in tests/failover, by the same connections
def test_functions_share_connections_behind_a_pooler(
    deploy: Deploy, servers: tuple[Postgres, SqsServer], pooler: Postgres
) -> None:
    name = migrated_database(servers[0]).rpartition("/")[2]
    behind = f"{pooler.url.rpartition('/')[0]}/{name}"
    deployment = deploy(behind, CONVEYOR_DATABASE_POOLED="1")
    api = deployment.function("api")
    deployment.feed(deployment.function("queue"), *SHOP)
    deployment.feed(deployment.function("queue"), *SHOP)
    for _ in range(10):
        deployment.place(api)
    deployment.settle(completed=10)
    assert not deployment.trouble()


def test_each_function_goes_on_where_another_was_killed(deploy: Deploy) -> None:
    deployment = deploy(CONVEYOR_PAYMENT_LATENCY_SECONDS="1", **SHORT)
    api, payments = deployment.function("api"), deployment.function("queue")
    deployment.feed(deployment.function("queue"), *(it for it in SHOP if it != "payments"))
    (source,) = deployment.feed(payments, "payments")
    for _ in range(3):
        deployment.place(api)

    payments.is_busy.wait()
    payments.kill()

    deployment.settle(completed=3)
    assert source.errors == ["the process died"]
    assert len(payments.cold_seconds) == 2


def test_what_cannot_be_done_in_time_is_handed_back(deploy: Deploy) -> None:
    deployment = deploy(**SHORT)
    deployment.place(deployment.function("api"))
    payments = deployment.function("queue", told=7)
    with pytest.raises(FunctionError, match="none of this deployment's queues"):
        payments.invoke(event_of("arn:aws:sqs:eu-west-1:1:foreign", [MESSAGE]))  # now it is warm
    with psycopg.connect(deployment.environment["CONVEYOR_DATABASE_URL"]) as blocking:
        blocking.execute("LOCK TABLE orders")
        (source,) = deployment.feed(payments, "payments")
        until(lambda: bool(source.failed), meanwhile=lambda: source.handed.wait(1))
        assert source.errors == []
    deployment.feed(deployment.function("queue"), *(it for it in SHOP if it != "payments"))
    deployment.settle(completed=1)


def test_no_more_invocations_run_at_once_than_the_event_source_says(deploy: Deploy) -> None:
    deployment = deploy(CONVEYOR_PAYMENT_LATENCY_SECONDS="1")
    api = deployment.function("api")
    for _ in range(8):
        deployment.place(api)
    (source,) = deployment.feed(
        deployment.function("queue"), "payments", batch_size=1, maximum_concurrency=3
    )
    deployment.feed(deployment.function("queue"), *(it for it in SHOP if it != "payments"))
    deployment.settle(completed=8)
    assert source.most_at_once == 3
    assert not deployment.trouble()


def test_what_no_function_can_take_is_dead_after_as_many_receives_as_provisioned(
    deploy: Deploy,
) -> None:
    deployment = deploy(CONVEYOR_CALL_TIMEOUT_SECONDS="90")  # longer than the function may take
    url = deployment.url_of("payments")
    deployment.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "0"})
    deployment.sqs.send_message(QueueUrl=url, MessageBody="{}")
    (source,) = deployment.feed(deployment.function("queue"), "payments")
    dead = deployment.url_of("payments-dead")
    until(lambda: bool(receive(deployment.sqs, dead, 1)), meanwhile=source.wait)
    assert len(source.errors) == RECEIVES


def test_a_function_that_is_cut_off_loses_nothing(deploy: Deploy) -> None:
    deployment = deploy(CONVEYOR_PAYMENT_LATENCY_SECONDS="1", **SHORT)
    deployment.place(deployment.function("api"))
    payments = deployment.function("queue")
    (source,) = deployment.feed(payments, "payments")
    payments.is_busy.wait()
    payments.seconds = 0  # whoever stands still has no time left
    payments.suspend()
    until(lambda: bool(source.errors), meanwhile=lambda: source.handed.wait(1))
    payments.seconds = 60
    assert "timed out" in source.errors[0]
    deployment.feed(deployment.function("queue"), *(it for it in SHOP if it != "payments"))
    deployment.settle(completed=1)


def test_poison_is_put_aside_and_its_neighbours_go_on(deploy: Deploy) -> None:
    deployment = deploy()
    api = deployment.function("api")
    deployment.sqs.send_message(QueueUrl=deployment.url_of("payments"), MessageBody="not ours")
    deployment.feed(deployment.function("queue"), *SHOP)
    deployment.place(api)
    deployment.settle(completed=1)
    dead = deployment.ask(api, "GET", "/v1/dead-letters")[1]["messages"]
    assert [message["body"] for message in dead] == ["not ours"]
    assert not deployment.trouble()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"CONVEYOR_QUEUE_URL": "embedded:"}, "CONVEYOR_QUEUE_URL=sqs://"),
        ({"CONVEYOR_CALL_TIMEOUT_SECONDS": "90"}, "CONVEYOR_CALL_TIMEOUT_SECONDS"),
    ],
)
def test_settings_that_do_not_fit_a_function_are_told(
    deploy: Deploy, changed: dict[str, str], said: str
) -> None:
    deployment = deploy()
    function = deployment.function("queue", changed)
    with pytest.raises(FunctionError) as told:
        function.invoke(event_of(arn_of(deployment.name_of("payments")), [MESSAGE]))
    assert said in str(told.value)
