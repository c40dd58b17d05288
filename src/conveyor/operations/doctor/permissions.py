"""Rights on the queues: what each part of the system needs, and what of that is refused here.

Each right is tried with a request that asks for nothing: about no message, or about a receipt that
never was. So nothing is sent, taken or deleted. That a service looks at rights before it looks at
the request is what AWS does as a rule and promises nowhere: what is refused is certain, what is not
refused is likely.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from conveyor.adapters.sqs import SqsQueues
from conveyor.adapters.sqs.asking import Answer
from conveyor.adapters.sqs.queue import DEPTH_ATTRIBUTES, SqsQueue
from conveyor.core.queue import DEAD_LETTER_SUFFIX
from conveyor.operations.doctor.findings import Finding, failure, fine, warning

CHECK = "permissions"
NO_RECEIPT = "conveyor-doctor"
LOOK = ("sqs:GetQueueUrl", "sqs:GetQueueAttributes")
TAKE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")
SEND = ("sqs:SendMessage",)
DRAIN = ("sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage")
PROVISION = (*LOOK, "sqs:CreateQueue", "sqs:SetQueueAttributes")
NEEDED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "worker": ((*LOOK, *TAKE, *SEND), (*LOOK, *SEND)),
    "api": ((*LOOK, *SEND), (*LOOK, *TAKE, *SEND)),
    "tick": ((*LOOK, *SEND), DRAIN),
    "drain": ((), DRAIN),
    "provision": (PROVISION, PROVISION),
}
"""For each part of the system: actions on queues, and on dead-letter queues.

`drain` is what workers of `orders` need beside what all workers do.
"""


def policies(arns: Mapping[str, str], kms_key: str) -> dict[str, Any]:
    """Give the least rights of each part as a policy of IAM; `arns` by the names of queues."""
    if not arns:
        return {}
    key = [_use_of(kms_key)] if kms_key else []
    dead = sorted(arn for name, arn in arns.items() if name.endswith(DEAD_LETTER_SUFFIX))
    live = sorted(arn for name, arn in arns.items() if not name.endswith(DEAD_LETTER_SUFFIX))
    return {
        part: {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": list(actions), "Resource": resources}
                for actions, resources in ((on_live, live), (on_dead, dead))
                if actions and resources
            ]
            + (key if part != "provision" else []),
        }
        for part, (on_live, on_dead) in NEEDED.items()
    }


def _use_of(kms_key: str) -> dict[str, Any]:
    """Give the right to use a key, which IAM names by ARN, or by its alias as a condition."""
    use = {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"]}
    if kms_key.startswith("arn:"):
        return use | {"Resource": kms_key}
    if kms_key.startswith("alias/"):
        names = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": kms_key}}
        return use | {"Resource": "arn:aws:kms:*:*:key/*", "Condition": names}
    return use | {"Resource": f"arn:aws:kms:*:*:key/{kms_key}"}


async def refusals(
    queues: SqsQueues, there: Sequence[SqsQueue], *, is_amazons: bool
) -> list[Finding]:
    """Try each action on each queue; `is_amazons`: the service is Amazon's own."""
    tried = await asyncio.gather(*(_tried(queues, it, is_amazons=is_amazons) for it in there))
    refused: dict[str, list[str]] = {}
    left_out: set[str] = set()
    for queue, answers in zip(there, tried, strict=True):
        for action, answer in answers.items():
            if answer is None:
                left_out.add(action)
            elif answer.is_refused:
                refused.setdefault(action, []).append(queue.name)
    found = [
        failure(CHECK, action, _said(names), _todo(action)) for action, names in refused.items()
    ]
    found += [
        warning(CHECK, action, NOT_TRIED, "look at the policy") for action in sorted(left_out)
    ]
    return found or [fine(CHECK, "SQS", "none of the actions that workers and API need is refused")]


async def _tried(
    queues: SqsQueues, queue: SqsQueue, *, is_amazons: bool
) -> dict[str, Answer | None]:
    """Give what became of each action on one queue; None: it was not tried."""

    async def ask(operation: str, **parameters: object) -> Answer:
        return await queues.ask(queue.name, operation, QueueUrl=url, **parameters)

    url = await queue.url()
    depth = await ask("get_queue_attributes", AttributeNames=DEPTH_ATTRIBUTES)
    is_empty = all(it == "0" for it in depth.body.get("Attributes", {}).values())
    receive = None
    if is_amazons or is_empty:
        # SQS refuses to give none; a service that gives one all the same has none to give.
        receive = await ask(
            "receive_message", MaxNumberOfMessages=0, WaitTimeSeconds=0, VisibilityTimeout=0
        )
    return {
        "sqs:GetQueueAttributes": depth,
        "sqs:ReceiveMessage": receive,
        "sqs:SendMessage": await ask("send_message_batch", Entries=[]),
        "sqs:DeleteMessage": await ask("delete_message", ReceiptHandle=NO_RECEIPT),
        "sqs:ChangeMessageVisibility": await ask(
            "change_message_visibility", ReceiptHandle=NO_RECEIPT, VisibilityTimeout=0
        ),
    }


def _said(names: Sequence[str]) -> str:
    return f"refused on {', '.join(names)}"


def _todo(action: str) -> str:
    parts = (part for part, (live, dead) in NEEDED.items() if action in (*live, *dead))
    return f"allow it to {', '.join(parts)}: `conveyor doctor --json` gives their least policies"


NOT_TRIED = "not tried: it has messages, and a service other than Amazon's might hand one out"
