"""What we hold a template to beyond the linters, on what CloudFormation sees of it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.deploy.actions import ACTIONS

VISIBILITY_FACTOR = 6
"""https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
DEAD = "DeadQueue"

# Where there is no naming an action or a resource, and why.
WILDCARDS = {
    ("Key", "kms:*"): "AWS's own default: the account decides by its policies who may use the key",
    ("Key", "*"): "in a key's policy it is the key itself",
    ("SharedRights", "*"): "AWS asks for these without resources; the code is denied them",
    ("ExecutionRole", "*"): "AWS gives ecr:GetAuthorizationToken no resource",
}

Template = Mapping[str, Any]
Found = tuple[str, Mapping[str, Any]]


def of_type(template: Template, kind: str) -> Iterator[Found]:
    """Give the resources of a type, each with its properties."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield name, resource.get("Properties", {})


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def target(value: Any) -> str:
    """Give the resource that a `Ref` or `Fn::GetAtt` names."""
    if not isinstance(value, dict):
        return ""
    named = value.get("Ref") or value.get("Fn::GetAtt", "")
    return str(named[0] if isinstance(named, list) else named).partition(".")[0]


def queues_redrive(template: Template) -> Iterator[str]:
    for name, queue in of_type(template, "AWS::SQS::Queue"):
        dead_letters = target(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn"))
        wanted = "" if name.endswith(DEAD) else name.removesuffix("Queue") + DEAD
        if dead_letters != wanted:
            yield f"{name}: its dead letters go to {dead_letters or 'no queue'}"


def queues_are_encrypted(template: Template) -> Iterator[str]:
    for name, queue in of_type(template, "AWS::SQS::Queue"):
        if target(queue.get("KmsMasterKeyId")) != "Key":
            yield f"{name}: not encrypted with the customer's key"


def queues_ask_for_tls(template: Template) -> Iterator[str]:
    safe = set()
    for _, policy in of_type(template, "AWS::SQS::QueuePolicy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            condition = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
            everything = (statement["Principal"], statement["Action"]) == ("*", "sqs:*")
            if statement["Effect"] == "Deny" and everything and condition == "false":
                named = {target(it) for it in policy["Queues"]}
                safe |= named & {target(it) for it in listed(statement["Resource"])}
    for name, _ in of_type(template, "AWS::SQS::Queue"):
        if name not in safe:
            yield f"{name}: may be reached without TLS"


def fifo_is_fifo(template: Template) -> Iterator[str]:
    queues = dict(of_type(template, "AWS::SQS::Queue"))
    for name, queue in queues.items():
        is_fifo = bool(queue.get("FifoQueue"))
        if queue["QueueName"]["Fn::Sub"].endswith(".fifo") != is_fifo:
            yield f"{name}: its name and its kind do not fit"
        dead_letters = queues.get(target(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")))
        if dead_letters is not None and bool(dead_letters.get("FifoQueue")) != is_fifo:
            yield f"{name}: its dead-letter queue is of another kind"


def messages_outlast_functions(template: Template) -> Iterator[str]:
    queues = dict(of_type(template, "AWS::SQS::Queue"))
    functions = dict(of_type(template, "AWS::Lambda::Function"))
    for name, source in of_type(template, "AWS::Lambda::EventSourceMapping"):
        visible = queues[target(source["EventSourceArn"])].get("VisibilityTimeout", 30)
        seconds = functions[target(source["FunctionName"])].get("Timeout", 3)
        if visible < VISIBILITY_FACTOR * seconds:
            yield f"{name}: visibility of {visible} s for a function of {seconds} s"


def event_sources_are_bounded(template: Template) -> Iterator[str]:
    for name, source in of_type(template, "AWS::Lambda::EventSourceMapping"):
        if "ReportBatchItemFailures" not in source.get("FunctionResponseTypes", []):
            yield f"{name}: a fault brings the whole batch back"
        if "MaximumConcurrency" not in source.get("ScalingConfig", {}):
            yield f"{name}: no limit of concurrency"


def functions_are_bounded(template: Template) -> Iterator[str]:
    groups = dict(of_type(template, "AWS::Logs::LogGroup"))
    for name, function in of_type(template, "AWS::Lambda::Function"):
        if "ReservedConcurrentExecutions" not in function:
            yield f"{name}: no limit of concurrency"
        group = groups.get(target(function.get("LoggingConfig", {}).get("LogGroup")), {})
        if "RetentionInDays" not in group:
            yield f"{name}: its logs are kept for ever"


def nothing_is_a_wildcard(template: Template) -> Iterator[str]:
    for name, statement in _allowed(template):
        said = [*listed(statement["Action"]), *listed(statement.get("Resource", []))]
        for it in said:
            text = it if isinstance(it, str) else json.dumps(it)
            if "*" in text and (name, text) not in WILDCARDS:
                yield f"{name}: allows {text}"
        if "NotAction" in statement or "NotResource" in statement:
            yield f"{name}: allows all but what it names"


def roles_do_what_was_seen(template: Template) -> Iterator[str]:
    actual: dict[str, set[str]] = defaultdict(set)
    for name, role in of_type(template, "AWS::IAM::Role"):
        actual[name] |= _actions(role.get("Policies", []))
        if "ManagedPolicyArns" in role:
            yield f"{name}: policies of others, which change without us"
    for _, policy in of_type(template, "AWS::IAM::Policy"):
        for role in policy["Roles"]:
            actual[target(role)] |= _actions([policy])
    for name, actions in actual.items():
        wanted = ACTIONS.get(name, set())
        if actions != wanted:
            more, less = sorted(actions - wanted), sorted(wanted - actions)
            yield f"{name}: more than it was seen to use: {more}; less: {less}"


def alarms_watch_everything(template: Template) -> Iterator[str]:
    """An alarm with a wrong dimension is never heard of: nothing refuses it."""
    watched = set()
    for _, alarm in of_type(template, "AWS::CloudWatch::Alarm"):
        watched |= {(alarm["MetricName"], target(it["Value"])) for it in alarm["Dimensions"]}
    for name, _ in of_type(template, "AWS::SQS::Queue"):
        is_dead = name.endswith(DEAD)
        metric = f"Approximate{'NumberOfMessagesVisible' if is_dead else 'AgeOfOldestMessage'}"
        if (metric, name) not in watched:
            yield f"{name}: no alarm of {metric}"
    for name, _ in of_type(template, "AWS::Lambda::EventSourceMapping"):
        function = name.replace("EventSource", "Function")
        for metric in ("Errors", "Throttles"):
            if (metric, function) not in watched:
                yield f"{function}: no alarm of {metric}"
    for metric in ("OrdersParked", "DeadMessages", "OrdersWaiting", "OutboxOldestDueSeconds"):
        if (metric, "Prefix") not in watched:
            yield f"the system: no alarm of {metric}"


def _allowed(template: Template) -> Iterator[Found]:
    for name, resource in template["Resources"].items():
        for document in _documents(resource.get("Properties", {})):
            for statement in _statements(document):
                if statement["Effect"] == "Allow":
                    yield name, statement


def _documents(properties: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(properties, dict):
        if "Statement" in properties:
            yield properties
        for value in properties.values():
            yield from _documents(value)
    elif isinstance(properties, list):
        for value in properties:
            yield from _documents(value)


def _statements(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give the statements of a policy, those too that are there on a condition."""
    for statement in document["Statement"]:
        branches = statement.get("Fn::If", ["", statement])
        yield from (it for it in branches[1:] if "Effect" in it)


def _actions(policies: list[Any]) -> set[str]:
    return {
        action
        for policy in policies
        for statement in _statements(policy["PolicyDocument"])
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
    }


RULES: tuple[Callable[[Template], Iterator[str]], ...] = (
    queues_redrive,
    queues_are_encrypted,
    queues_ask_for_tls,
    fifo_is_fifo,
    messages_outlast_functions,
    event_sources_are_bounded,
    functions_are_bounded,
    nothing_is_a_wildcard,
    roles_do_what_was_seen,
    alarms_watch_everything,
)


def complaints(template: Template) -> list[str]:
    """Give what is wrong with a template."""
    return [said for rule in RULES for said in rule(template)]
