"""The template for AWS: as our rules ask for it, and with the queues that we would make."""

from __future__ import annotations

import json
from typing import Any

from tests.deploy.expanded import WORKERS, expanded
from tests.deploy.rules import (
    Template,
    complaints,
    nothing_is_a_wildcard,
    of_type,
    roles_do_what_was_seen,
    target,
)

from conveyor.adapters.sqs.address import parse_sqs_url
from conveyor.adapters.sqs.attributes import (
    DEFAULTS,
    FIFO_DEFAULTS,
    all_attributes,
    differences,
)
from conveyor.core.queue import QueueSpec
from conveyor.settings import Settings
from conveyor.system.installation import installation

PREFIX = "conveyor-"
KEY = "arn:aws:kms:eu-west-1:000000000000:key/k"
ARN = "arn:aws:sqs:eu-west-1:000000000000:"


def in_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_template_keeps_to_our_rules() -> None:
    assert complaints(expanded()) == []


def test_workers_have_no_more_rights_than_they_use() -> None:
    workers = expanded(WORKERS)
    assert [*nothing_is_a_wildcard(workers), *roles_do_what_was_seen(workers)] == []


def test_its_queues_are_those_that_provision_makes() -> None:
    """And with nothing more: what provision does not know of it could not put right."""
    environment = expanded()["Resources"]["ApiFunction"]["Properties"]["Environment"]["Variables"]
    settings = Settings(visibility_seconds=environment["CONVEYOR_VISIBILITY_SECONDS"])
    made: dict[str, tuple[QueueSpec, QueueSpec]] = {}
    for spec in installation(settings).queues:
        dead_letters = spec.dead_letters()
        made |= {name_of(spec): (spec, dead_letters), name_of(dead_letters): (dead_letters, spec)}
    found = as_sqs_tells_them(expanded())
    assert found.keys() == made.keys()
    for name, (spec, other) in made.items():
        wanted = all_attributes(spec, found[name], name_of(other), KEY)
        assert differences(wanted, found[name]) == []
        assert found[name].keys() - wanted.keys() == {"QueueArn"}


def as_sqs_tells_them(template: Template) -> dict[str, dict[str, str]]:
    """Give the attributes of all queues, by their names on SQS."""
    queues = dict(of_type(template, "AWS::SQS::Queue"))
    names = {
        it: queue["QueueName"]["Fn::Sub"].replace("${Prefix}", PREFIX)
        for it, queue in queues.items()
    }
    policies = {
        target(policy["Queues"][0]): policy["PolicyDocument"]
        for _, policy in of_type(template, "AWS::SQS::QueuePolicy")
    }
    told = {}
    for it, queue in queues.items():
        arn = f"{ARN}{names[it]}"
        attributes = DEFAULTS | (FIFO_DEFAULTS if queue.get("FifoQueue") else {})
        attributes |= {key: in_text(value) for key, value in queue.items() if key != "QueueName"}
        attributes |= {"QueueArn": arn, "KmsMasterKeyId": KEY}
        document = json.dumps(policies[it])
        attributes["Policy"] = document.replace(json.dumps({"Fn::GetAtt": [it, "Arn"]}), f'"{arn}"')
        if "RedrivePolicy" in queue:
            dead_letters = f"{ARN}{names[target(queue['RedrivePolicy']['deadLetterTargetArn'])]}"
            redrive = queue["RedrivePolicy"] | {"deadLetterTargetArn": dead_letters}
            attributes["RedrivePolicy"] = json.dumps(redrive)
        told[names[it]] = attributes
    return told


def name_of(spec: QueueSpec) -> str:
    return parse_sqs_url(f"sqs://eu-west-1/{PREFIX}").queue_name(spec)


def test_a_service_of_ones_own_is_a_parameter() -> None:
    template = expanded(
        Services="orders,gifts",
        StandardServices="orders",
        FifoServices="gifts",
        FunctionServices="gifts",
    )
    queues = dict(of_type(template, "AWS::SQS::Queue"))
    assert queues["giftsQueue"]["QueueName"] == {"Fn::Sub": "${Prefix}gifts.fifo"}
    sources = dict(of_type(template, "AWS::Lambda::EventSourceMapping"))
    assert list(sources) == ["giftsEventSource"]


def test_a_service_that_workers_run_calls_no_function() -> None:
    template = expanded(FunctionServices="orders,intake")
    assert "paymentsQueue" in template["Resources"]
    assert "paymentsFunction" not in template["Resources"]
