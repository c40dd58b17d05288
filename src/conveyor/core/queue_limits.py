"""What SQS takes in one message: every adapter keeps to it, so that what runs here runs there.

Facts: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from conveyor.core.queue import MAX_DELAY_SECONDS, MAX_MESSAGE_BYTES, Outgoing, QueueSpec

MAX_ATTRIBUTES = 10
MAX_ID_CHARACTERS = 128
ATTRIBUTE_TYPE = "String"
# SQS takes XML 1.0 characters in a body or in the value of an attribute: all but these. To say it
# by those that it takes, up to U+10FFFF, would have the expression compiled ten times as long.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]|\ufffe|\uffff")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")

log = logging.getLogger(__name__)


def size_of(message: Outgoing) -> int:
    """Bytes of the message as SQS counts them: body and attributes, their names and types too."""
    size = len(message.body.encode())
    for name, value in message.attributes:
        size += len(name) + len(ATTRIBUTE_TYPE) + len(value.encode())
    return size


def refused(spec: QueueSpec, messages: Sequence[Outgoing]) -> list[int]:
    """Give the indexes of the messages that the queue never takes, having logged why."""
    indexes = []
    for index, message in enumerate(messages):
        reason = refusal(spec, message)
        if reason is not None:
            log.error("queue %s does not take a message: %s", spec.name, reason)
            indexes.append(index)
    return indexes


def refusal(spec: QueueSpec, message: Outgoing) -> str | None:
    """Say why a queue does not take this message, ever; None when it does."""
    if not message.body:
        return "the body is empty"
    if FORBIDDEN.search(message.body):
        return "the body has a character outside XML 1.0"
    if not 0 <= message.delay_seconds <= MAX_DELAY_SECONDS:
        return f"a delay of {message.delay_seconds} s is not within 0 and {MAX_DELAY_SECONDS} s"
    reason = _attribute_refusal(message) if message.attributes else None
    if reason is None and spec.fifo:
        reason = _fifo_refusal(message)
    if reason is None and size_of(message) > MAX_MESSAGE_BYTES:
        reason = f"it is larger than {MAX_MESSAGE_BYTES} bytes"
    return reason


def _fifo_refusal(message: Outgoing) -> str | None:
    if not 0 < len(message.group) <= MAX_ID_CHARACTERS:
        return f"a FIFO queue needs a message group of 1 to {MAX_ID_CHARACTERS} characters"
    if not 0 < len(message.deduplication_id) <= MAX_ID_CHARACTERS:
        return f"a FIFO queue needs a deduplication id of 1 to {MAX_ID_CHARACTERS} characters"
    if message.delay_seconds:
        return "a FIFO queue does not delay single messages"
    return None


def _attribute_refusal(message: Outgoing) -> str | None:
    if len(message.attributes) > MAX_ATTRIBUTES:
        return f"it has more than {MAX_ATTRIBUTES} attributes"
    for name, value in message.attributes:
        if not _ATTRIBUTE_NAME.fullmatch(name):
            return f"{name!r} is no name of an attribute"
        if not value or FORBIDDEN.search(value):
            return f"the value of attribute {name!r} is empty or not XML 1.0"
    return None
