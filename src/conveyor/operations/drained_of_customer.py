"""What may tell of a customer among the messages that were drained into the database.

A message that did not come through us is nobody's order yet: it may be sent to its queue again, so
nothing is taken out of it. Whoever erases is told which of them somebody has to decide about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import orjson

from conveyor.core.dead_messages import DeadMessage, waiting
from conveyor.core.errors import PoisonError
from conveyor.core.message import decode
from conveyor.core.transaction import Tx
from conveyor.core.untyped import Json
from conveyor.extension import Kept

PAGE = 200
DECIDE = "`conveyor dead-letters list`, and discard what is of no use"


def drained_of(tx: Tx, customer: str) -> list[Kept]:
    """Name the messages that name a customer, and count those that nobody can read, by queue."""
    theirs, unreadable = list[Kept](), Counter[str]()
    for message in _all(tx):
        said = _said_by(message)
        if said is None:
            unreadable[message.queue] += 1
        elif customer in _texts(said):
            why = f"waits among the dead letters of {message.queue} and names them: {DECIDE}"
            theirs.append(Kept(f"message {message.message_id}", why))
    return [*theirs, *(_unread(queue, many) for queue, many in sorted(unreadable.items()))]


def _unread(queue: str, many: int) -> Kept:
    what, verb = ("1 message", "waits") if many == 1 else (f"{many:,} messages", "wait")
    why = f"{verb} among the dead letters of {queue} and cannot be read, so may tell of them"
    return Kept(what, f"{why}: {DECIDE}")


def _all(tx: Tx) -> Iterator[DeadMessage]:
    page = waiting(tx, PAGE)
    while page:
        yield from page
        page = waiting(tx, PAGE, (page[-1].sent_at, page[-1].message_id))


def _said_by(message: DeadMessage) -> Json:
    """Give what it says: nothing of anybody, if it is a token of ours; None: nobody can read it."""
    try:
        decode(message.body)
    except PoisonError:
        try:
            return orjson.loads(message.body) or {}
        except orjson.JSONDecodeError:
            return None
    return {}


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list):
        for it in value:
            yield from _texts(it)
    elif value is not None:
        yield str(value)
