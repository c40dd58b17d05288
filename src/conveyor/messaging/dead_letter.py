"""A message on its way to the dead-letter queue, with the cause that SQS itself would not tell.

Whatever is wrong with the message, the dead-letter queue must take it: one that it refuses would
be received again and again.
"""

from __future__ import annotations

from conveyor.messaging.queue import MAX_MESSAGE_BYTES, Outgoing, Received
from conveyor.messaging.queue_limits import FORBIDDEN, MAX_ATTRIBUTES, size_of

CAUSE = "cause"
MAX_CAUSE_CHARACTERS = 1_000
NO_CAUSE = "unknown"


def dead_letter(message: Received, cause: str, group: str) -> Outgoing:
    """Give the message to send; `group` is used when a FIFO queue's message has none."""
    others = without_cause(message.attributes)[: MAX_ATTRIBUTES - 1]
    said = FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", cause)[:MAX_CAUSE_CHARACTERS] or NO_CAUSE
    dead = Outgoing(
        message.body,
        group=message.group or group,
        deduplication_id=message.message_id,
        attributes=(*others, (CAUSE, said)),
    )
    if size_of(dead) <= MAX_MESSAGE_BYTES:
        return dead
    return Outgoing(message.body, group=dead.group, deduplication_id=dead.deduplication_id)


def without_cause(attributes: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Give the attributes with which a message is redriven."""
    return tuple(attribute for attribute in attributes if attribute[0] != CAUSE)
