"""What a queue on SQS is to be, attribute by attribute, and in what one that is there differs.

`conveyor queues provision` sets these and `conveyor doctor` compares them: there is no second list.

Attributes: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conveyor.core.queue import LONG_POLL_SECONDS, QueueSpec

SMALLEST_LIMIT_BYTES = 262_144
"""SQS's limit on a message until 2025, and still that of queues of that time; a mebibyte since."""
# High throughput: limits and deduplication count for each message group, not for the whole queue.
FIFO_ATTRIBUTES = {
    "FifoQueue": "true",
    "DeduplicationScope": "messageGroup",
    "FifoThroughputLimit": "perMessageGroupId",
}
DEFAULTS = {"DelaySeconds": "0"}
FIFO_DEFAULTS = {"ContentBasedDeduplication": "false"}
"""What a queue has by itself, and is to keep."""
FIXED_AT_CREATION = frozenset({"FifoQueue"})
TLS_ONLY = "OverTlsOnly"
DATA_KEY_SECONDS = 3_600
"""For how long SQS uses a data key before it asks KMS, which bills requests, for another."""

Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """An attribute that is not what it is to be; `found` is '' where the queue has none."""

    attribute: str
    expected: str
    found: str


def plain_attributes(spec: QueueSpec, kms_key: str = "") -> dict[str, str]:
    """Give what a queue is created with; `kms_key`: a customer's key, instead of SQS's own."""
    wanted = {
        "VisibilityTimeout": str(spec.visibility_seconds),
        "MessageRetentionPeriod": str(spec.retention_seconds),
        "ReceiveMessageWaitTimeSeconds": str(LONG_POLL_SECONDS),
    } | DEFAULTS
    if kms_key:
        wanted["KmsMasterKeyId"] = kms_key
        wanted["KmsDataKeyReusePeriodSeconds"] = str(DATA_KEY_SECONDS)
    else:
        wanted["SqsManagedSseEnabled"] = "true"
    return wanted | (FIFO_ATTRIBUTES | FIFO_DEFAULTS if spec.fifo else {})


def all_attributes(
    spec: QueueSpec, actual: Attributes, dead_letters: str, kms_key: str = ""
) -> dict[str, str]:
    """Give all that a queue that is there is to have; `dead_letters` is a queue's name on SQS."""
    arn = actual["QueueArn"]
    wanted = plain_attributes(spec, kms_key)
    wanted["MaximumMessageSize"] = str(SMALLEST_LIMIT_BYTES)
    wanted["Policy"] = _with_tls_only(actual.get("Policy", ""), arn)
    if spec.max_receives:
        target = f"{arn.rpartition(':')[0]}:{dead_letters}"
        redrive = {"deadLetterTargetArn": target, "maxReceiveCount": str(spec.max_receives)}
        wanted["RedrivePolicy"] = json.dumps(redrive)
    return wanted


def differences(wanted: Attributes, actual: Attributes) -> list[Difference]:
    """Compare what a queue is to have with what it has."""
    return [
        Difference(name, value, actual.get(name, ""))
        for name, value in wanted.items()
        if not _agrees(name, value, actual)
    ]


def _agrees(name: str, wanted: str, actual: Attributes) -> bool:
    found = actual.get(name, "")
    if name == "SqsManagedSseEnabled":  # whoever has given it a key of their own has done more
        return found == wanted or bool(actual.get("KmsMasterKeyId"))
    if name == "KmsMasterKeyId":  # an ARN may be told of what was given as an id or an alias
        return bool(found) and (found.endswith(wanted) or wanted.endswith(found))
    if name == "MaximumMessageSize":
        return not found or int(found) >= int(wanted)
    if name == "Policy":
        return any(_is_tls_only(it, actual["QueueArn"]) for it in _statements(found))
    if name == "RedrivePolicy":
        return _in_text(_parsed(wanted)) == _in_text(_parsed(found))
    return found == wanted


def _with_tls_only(policy: str, arn: str) -> str:
    """Add a statement that refuses requests without TLS; what else is there stays."""
    statement = {
        "Sid": TLS_ONLY,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    kept = [it for it in _statements(policy) if it.get("Sid") != TLS_ONLY]
    whole = {"Version": "2012-10-17"} | _parsed(policy)
    return json.dumps(whole | {"Statement": [*kept, statement]})


def _is_tls_only(statement: Mapping[str, Any], arn: str) -> bool:
    """Whether it refuses everybody everything that comes without TLS, whoever has written it."""
    condition = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return (
        statement.get("Effect") == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and statement.get("Action") in ("sqs:*", "SQS:*", "*", ["sqs:*"], ["SQS:*"])
        and statement.get("Resource") in (arn, "*", [arn], ["*"])
        and str(condition).lower() == "false"
    )


def _statements(policy: str) -> list[dict[str, Any]]:
    found = _parsed(policy).get("Statement", [])
    return found if isinstance(found, list) else [found]


def _parsed(document: str) -> dict[str, Any]:
    try:
        read = json.loads(document or "{}")
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _in_text(policy: Mapping[str, Any]) -> dict[str, str]:
    """Give a policy's values as text: servers tell numbers as numbers or as text."""
    return {name: str(value) for name, value in policy.items()}
