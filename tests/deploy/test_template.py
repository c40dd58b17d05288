"""The template for AWS: as our rules ask for it, and with the queues that we would make."""

from __future__ import annotations

from typing import Any

from tests.deploy.expanded import expanded
from tests.deploy.rules import DEAD, complaints, of_type, target

from conveyor.adapters.sqs.address import parse_sqs_url
from conveyor.adapters.sqs.attributes import DEFAULTS, FIFO_DEFAULTS, plain_attributes
from conveyor.app.installation import installation
from conveyor.messaging.queue import QueueSpec
from conveyor.settings import Settings

PREFIX = "conveyor-"
KEY = "KmsMasterKeyId"


def in_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_template_keeps_to_our_rules() -> None:
    assert complaints(expanded()) == []


def test_its_queues_are_those_that_provision_makes() -> None:
    queues = dict(of_type(expanded(), "AWS::SQS::Queue"))
    environment = expanded()["Resources"]["ApiFunction"]["Properties"]["Environment"]["Variables"]
    settings = Settings(visibility_seconds=environment["CONVEYOR_VISIBILITY_SECONDS"])
    wanted = {}
    for spec in installation(settings).queues:
        for it in (spec, spec.dead_letters()):
            every = plain_attributes(it, kms_key=KEY)
            by_itself = DEFAULTS | FIFO_DEFAULTS
            wanted[name_of(it)] = {
                name: value
                for name, value in every.items()
                if name not in by_itself and name != KEY  # which the template makes itself
            }
    found = {}
    for name, queue in queues.items():
        own = {key: value for key, value in queue.items() if key != KEY}
        called = own.pop("QueueName")["Fn::Sub"].replace("${Prefix}", PREFIX)
        redrive = own.pop("RedrivePolicy", None)
        found[called] = {key: in_text(value) for key, value in own.items()}
        if not name.endswith(DEAD):
            spec = next(it for it in installation(settings).queues if name_of(it) == called)
            assert redrive["maxReceiveCount"] == spec.max_receives
            assert target(redrive["deadLetterTargetArn"]) == f"{spec.name}DeadQueue"
    assert found.keys() == wanted.keys()
    assert {name: queue | wanted[name] for name, queue in found.items()} == found


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
