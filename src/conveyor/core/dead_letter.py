"""A message on its way to the dead-letter queue, with the cause that SQS itself would not tell.

Whatever is wrong with the message, the dead-letter queue must take it: one that it refuses would
be received again and again.
"""

from __future__ import annotations

from dataclasses import replace

from conveyor.core.queue import MAX_MESSAGE_BYTES, Outgoing, Received
from conveyor.core.queue_limits import FORBIDDEN, MAX_ATTRIBUTES, size_of

CAUSE = "cause"
FIRST_MESSAGE_ID = "first-message-id"
"""The id that a message had when it was first sent: each time it is sent again it has another."""
MAX_CAUSE_CHARACTERS = 1_000
NO_CAUSE = "unknown"

Attributes = tuple[tuple[str, str], ...]


def dead_letter(message: Received, cause: str) -> Outgoing:
    """Give the message to send, in a message group of its own.

    A FIFO queue gives no more of a group than one receive holds, so that a look would miss the
    others. Nothing is lost by it: the database keeps the order of what goes back (decision 6).
    """
    said = FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", cause)[:MAX_CAUSE_CHARACTERS] or NO_CAUSE
    kept = redriven(message.message_id, message.attributes)
    known_by = (FIRST_MESSAGE_ID, first_message_id(message))
    dead = Outgoing(
        message.body,
        group=message.message_id,
        deduplication_id=message.message_id,
        attributes=(*kept[: MAX_ATTRIBUTES - 1], (CAUSE, said)),
    )
    for fewer in ((known_by,), ()):
        if size_of(dead) > MAX_MESSAGE_BYTES:
            dead = replace(dead, attributes=fewer)
    return dead


def redriven(message_id: str, attributes: Attributes) -> Attributes:
    """Give the attributes with which a message is sent again; what it is known by comes first."""
    others = [a for a in attributes if a[0] not in {CAUSE, FIRST_MESSAGE_ID}]
    known_by = (FIRST_MESSAGE_ID, dict(attributes).get(FIRST_MESSAGE_ID) or message_id)
    return (known_by, *others[: MAX_ATTRIBUTES - 1])


def first_message_id(message: Received) -> str:
    """Give the id that it had when it was first sent, however often it was redriven since."""
    return dict(message.attributes).get(FIRST_MESSAGE_ID) or message.message_id
