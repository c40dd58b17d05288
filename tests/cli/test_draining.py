"""Workers drain the dead-letter queues of Amazon SQS onto the desk, and a command does at once."""

from __future__ import annotations

from typing import Any

import boto3
from tests.cli.driver import Process, say, until
from tests.cli.test_worker_metrics import environment, figures

__all__ = ["environment"]


def queue_of(environment: dict[str, str], name: str) -> tuple[Any, str]:
    """Give a client of SQS, and the URL of a queue of this system."""
    address, _, endpoint = environment["CONVEYOR_QUEUE_URL"].partition("?endpoint_url=")
    sqs = boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    prefix = address.rpartition("/")[2]
    return sqs, sqs.get_queue_url(QueueName=prefix + name)["QueueUrl"]


def letters(environment: dict[str, str]) -> list[dict[str, str]]:
    """Give the messages that wait for an operator."""
    found: list[dict[str, str]] = say("dead-letters", "list", "--json", **environment).json()[
        "messages"
    ]
    return found


def test_what_others_put_there_is_drained_and_sent_to_its_source(
    environment: dict[str, str],
) -> None:
    sqs, dead = queue_of(environment, "payments-dead")
    _, source = queue_of(environment, "payments")
    sqs.send_message(QueueUrl=dead, MessageBody="<xml/>")
    with Process(
        "work", "orders", "--metrics-port", 0, "--json", **environment
    ) as work:  # of this queue nobody takes anything
        told_at = work.ready()["metrics"]
        of_payments = ("conveyor_dead_messages", frozenset({("queue", "payments")}))
        until(lambda: figures(told_at)[of_payments] == 1)
        assert work.stop().code == 0
    assert "Messages" not in sqs.receive_message(QueueUrl=dead)
    [letter] = letters(environment)
    assert (letter["queue"], letter["body"]) == ("payments", "<xml/>")
    assert "unreadable" in letter["cause"]

    redriven = say("dead-letters", "redrive", letter["id"], **environment)
    assert redriven.code == 0, redriven.err
    [again] = sqs.receive_message(QueueUrl=source, WaitTimeSeconds=2)["Messages"]
    assert again["Body"] == "<xml/>"
    assert letters(environment) == []

    sqs.send_message(QueueUrl=dead, MessageBody="[]")
    drained = say("dead-letters", "drain", "--why", "looked in the console", **environment)
    assert (drained.code, drained.out) == (0, "payments: 1 drained.\n")
    [other] = letters(environment)
    gone = say("dead-letters", "discard", other["id"], "--reason", "not ours", **environment)
    assert gone.code == 0, gone.err
    assert letters(environment) == []
    assert say("dead-letters", "drain", **environment).out.startswith("Nothing lies in")
    log = say("operators", "log", "--json", **environment).json()
    assert [it["action"].removeprefix("messages.") for it in log][:3] == [
        "discard",
        "drain",
        "redrive",
    ]
