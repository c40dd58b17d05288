"""Orders are carried by functions alone: an API, a function of the queues, and a tick."""

from __future__ import annotations

import json
from functools import partial

import psycopg
import pytest
from tests.aws.conftest import Deploy
from tests.aws.deployment import ORDER, SHOP, Deployment, until
from tests.aws.runtime import Function, FunctionError
from tests.cli.driver import Process

TICK_SECONDS = 6
SHORT = {"CONVEYOR_CALL_TIMEOUT_SECONDS": "2", "CONVEYOR_VISIBILITY_SECONDS": "10"}


def carry(deployment: Deployment, order_ids: list[str], tick: Function) -> None:
    """Let time pass until these orders are completed."""

    def are_completed() -> bool:
        return all(deployment.status(order_id) == "completed" for order_id in order_ids)

    until(are_completed, meanwhile=partial(tick.invoke, {}))
    assert deployment.is_clean()


def test_an_order_is_carried_by_functions(deploy: Deploy) -> None:
    deployment = deploy()
    api = deployment.function("api")
    deployment.feed(deployment.function("queue"), *SHOP)
    order_ids = [deployment.place(api) for _ in range(5)]
    body = json.dumps({"orderId": "o1", "userId": "u1", "items": ["CD"], "total": 11.77})
    deployment.sqs.send_message(QueueUrl=deployment.url_of("intake"), MessageBody=body)

    carry(deployment, order_ids, deployment.function("tick", TICK_SECONDS))

    status, orders = deployment.ask(api, "GET", "/v1/orders?status=completed")
    assert (status, len(orders["orders"])) == (200, 6)
    assert not deployment.trouble()


def test_each_function_goes_on_where_another_was_killed(deploy: Deploy) -> None:
    deployment = deploy(CONVEYOR_PAYMENT_LATENCY_SECONDS="1", **SHORT)
    api, payments = deployment.function("api"), deployment.function("queue")
    deployment.feed(deployment.function("queue"), *(it for it in SHOP if it != "payments"))
    (source,) = deployment.feed(payments, "payments")
    order_ids = [deployment.place(api) for _ in range(3)]

    payments.is_busy.wait()
    payments.kill()

    carry(deployment, order_ids, deployment.function("tick", TICK_SECONDS))
    assert source.errors == ["the process died"]
    assert len(payments.cold_seconds) == 2


def test_what_cannot_be_done_in_time_is_handed_back(deploy: Deploy) -> None:
    deployment = deploy(**SHORT)
    api = deployment.function("api")
    order_id = deployment.place(api)
    with psycopg.connect(deployment.environment["CONVEYOR_DATABASE_URL"]) as blocking:
        blocking.execute("LOCK TABLE orders")
        source, *_ = deployment.feed(deployment.function("queue", seconds=7), "payments")
        until(lambda: bool(source.failed), meanwhile=lambda: source.handed.wait(1))
        assert source.errors == []
    deployment.feed(deployment.function("queue"), *(it for it in SHOP if it != "payments"))
    carry(deployment, [order_id], deployment.function("tick", TICK_SECONDS))


def test_a_function_that_is_cut_off_loses_nothing(deploy: Deploy) -> None:
    deployment = deploy(CONVEYOR_PAYMENT_LATENCY_SECONDS="1", **SHORT)
    order_id = deployment.place(deployment.function("api"))
    payments = deployment.function("queue")
    (source,) = deployment.feed(payments, "payments")
    payments.is_busy.wait()
    payments.seconds = 0  # whoever stands still has no time left
    payments.suspend()
    until(lambda: bool(source.errors), meanwhile=lambda: source.handed.wait(1))
    payments.seconds = 60
    assert "timed out" in source.errors[0]
    deployment.feed(deployment.function("queue"), *(it for it in SHOP if it != "payments"))
    carry(deployment, [order_id], deployment.function("tick", TICK_SECONDS))


def test_poison_is_put_aside_and_its_neighbours_go_on(deploy: Deploy) -> None:
    deployment = deploy()
    api = deployment.function("api")
    deployment.sqs.send_message(QueueUrl=deployment.url_of("payments"), MessageBody="not ours")
    deployment.feed(deployment.function("queue"), *SHOP)
    carry(deployment, [deployment.place(api)], deployment.function("tick", TICK_SECONDS))
    dead = deployment.sqs.receive_message(
        QueueUrl=deployment.url_of("payments-dead"), MessageAttributeNames=["All"]
    )["Messages"]
    assert [message["Body"] for message in dead] == ["not ours"]
    assert not deployment.trouble()


def test_services_may_be_functions_or_workers(deploy: Deploy) -> None:
    deployment = deploy()
    api = deployment.function("api")
    deployment.feed(deployment.function("queue"), "intake", "orders", "inventory", "payments")
    with Process("work", "shipping", "payments", "--json", **deployment.environment) as worker:
        worker.ready()
        order_ids = [deployment.place(api) for _ in range(10)]
        carry(deployment, order_ids, deployment.function("tick", TICK_SECONDS))
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
    function = deployment.function("queue", 60, **changed)
    record = {
        "messageId": "1",
        "receiptHandle": "r",
        "body": json.dumps(ORDER),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0"},
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:1:{deployment.name_of('payments')}",
    }
    with pytest.raises(FunctionError) as told:
        function.invoke({"Records": [record]})
    assert said in str(told.value)
