"""Dead letters that were taken out of their queue: kept in the database until somebody decides.

A queue keeps nothing for longer than fourteen days, and SQS shows ten messages of a group at a
time. A row stays after the decision, without what the message said, for as long as a copy of it
may still lie in the queue: so none of them comes up a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson
import sqlalchemy as sa

from conveyor.core.dead_letter import CAUSE, Attributes
from conveyor.core.queue import DEAD_LETTER_RETENTION_SECONDS, Received
from conveyor.core.statements import one_of
from conveyor.core.tables import metadata
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert

PAST_US = (
    "it did not come through Conveyor: the queue's redrive policy moved it, after too many "
    "receives, or somebody put it there"
)
UNREADABLE = "unreadable: not JSON"
REMEMBERED_MS = (DEAD_LETTER_RETENTION_SECONDS + 86_400) * 1000
"""How long a decision is remembered: a day longer than a copy can lie in its queue."""
IN_HAND_MS = 60_000
"""How long whoever sends a message to its queue again is alone with it."""

dead_messages = sa.Table(
    "dead_messages",
    metadata,
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("queue", sa.Text, nullable=False),  # where it came from, without `-dead`
    sa.Column("body", sa.Text, nullable=False),  # '' once it is decided about
    sa.Column("attributes", sa.Text, nullable=False),  # pairs, JSON
    sa.Column("group_key", sa.Text, nullable=False),  # its message group, '' for none
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("sent_at", sa.BigInteger, nullable=False),
    sa.Column("receives", sa.BigInteger, nullable=False),
    sa.Column("drained_at", sa.BigInteger, nullable=False),
    sa.Column("in_hand_until", sa.BigInteger, nullable=False),  # somebody is sending it again
    sa.Column("decision", sa.Text, nullable=False),  # '' for none yet
    sa.Column("decided_at", sa.BigInteger, nullable=False),  # 0 for not yet
    sqlite_with_rowid=False,
)
_d = dead_messages.c
_undecided = _d.decision == sa.text("''")
_decided = _d.decision != sa.text("''")
sa.Index(
    "dead_messages_undecided",
    _d.sent_at,
    _d.message_id,
    sqlite_where=_undecided,
    postgresql_where=_undecided,
)
sa.Index("dead_messages_decided", _d.decided_at, sqlite_where=_decided, postgresql_where=_decided)


class MessageDecision(StrEnum):
    """What became of a message."""

    REDRIVEN = "redriven"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message that waits for an operator; `group` is its message group, '' for none."""

    message_id: str
    queue: str
    body: str
    attributes: Attributes
    group: str
    cause: str
    sent_at: int


def _insert(insert: DialectInsert) -> sa.Executable:
    row: sa.Executable = insert(dead_messages).on_conflict_do_nothing()
    return row


_KEEP = PerDialect(_insert)
_FIELDS = (_d.message_id, _d.queue, _d.body, _d.attributes, _d.group_key, _d.cause, _d.sent_at)
_AFTER = sa.bindparam("after", type_=sa.BigInteger)
_AFTER_ID = sa.bindparam("after_id", type_=sa.Text)
_WAITING = (
    sa.select(*_FIELDS)
    .where(_undecided, sa.tuple_(_d.sent_at, _d.message_id) > sa.tuple_(_AFTER, _AFTER_ID))
    .order_by(_d.sent_at, _d.message_id)
    .limit(sa.bindparam("most"))
)
_COUNTS = sa.select(_d.queue, sa.func.count()).where(_undecided).group_by(_d.queue)
_KNOWN = sa.select(_d.message_id).where(one_of(_d.message_id, "ids"))
_ONE = (
    sa.select(*_FIELDS, _d.decision, _d.in_hand_until)
    .where(_d.message_id == sa.bindparam("of_id"))
    .with_for_update()
)
_HOLD = (
    sa.update(dead_messages)
    .where(_d.message_id == sa.bindparam("b_id"))
    .values(in_hand_until=sa.bindparam("b_until"))
)
_DECIDE = (
    sa.update(dead_messages)
    .where(_d.message_id == sa.bindparam("b_id"), _undecided)
    .values(
        decision=sa.bindparam("b_decision"),
        decided_at=sa.bindparam("b_at"),
        in_hand_until=0,
        body="",
        attributes="[]",
    )
)
_FORGET = sa.delete(dead_messages).where(_decided, _d.decided_at < sa.bindparam("b_before"))


def cause_of(message: Received) -> str:
    """Say why a message is a dead letter, as far as anybody has said so."""
    said = dict(message.attributes).get(CAUSE, "")
    if said:
        return said
    return PAST_US if is_json(message.body) else f"{UNREADABLE}; {PAST_US}"


def is_json(body: str) -> bool:
    """Whether anybody here can read a message."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def dead_message(queue: str, message: Received) -> DeadMessage:
    """Give a message that lies in the dead-letter queue of this queue."""
    return DeadMessage(
        message.message_id,
        queue,
        message.body,
        message.attributes,
        message.group,
        cause_of(message),
        message.sent_at_ms,
    )


def keep(tx: Tx, queue: str, messages: Sequence[Received], now_ms: int) -> None:
    """Keep messages of a queue; those that are known, whatever became of them, stay as they are."""
    for it in messages:
        row = {
            "message_id": it.message_id,
            "queue": queue,
            "body": it.body,
            "attributes": orjson.dumps(it.attributes).decode(),
            "group_key": it.group,
            "cause": cause_of(it),
            "sent_at": it.sent_at_ms,
            "receives": it.receive_count,
            "drained_at": now_ms,
            "in_hand_until": 0,
            "decision": "",
            "decided_at": 0,
        }
        tx.execute(_KEEP, row)


def waiting(tx: Tx, limit: int, after: tuple[int, str] = (-1, "")) -> list[DeadMessage]:
    """List those that wait for an operator, the oldest first; `after` is when and which."""
    asked = {"most": limit, "after": after[0], "after_id": after[1]}
    return [_read(row) for row in tx.execute(_WAITING, asked)]


def counts(tx: Tx) -> dict[str, int]:
    """Count those that wait for an operator, by queue."""
    return {queue: int(many) for queue, many in tx.execute(_COUNTS).all()}


def known(tx: Tx, message_ids: Sequence[str]) -> set[str]:
    """Give those of these ids of which there is a row, decided about or not."""
    return set(tx.execute(_KNOWN, {"ids": list(message_ids)}).scalars()) if message_ids else set()


def take(tx: Tx, message_id: str, now_ms: int) -> DeadMessage | None:
    """Give one that waits, locked until the transaction ends; None: somebody has it in hand."""
    row = tx.execute(_ONE, {"of_id": message_id}).one_or_none()
    if row is None or row.decision or row.in_hand_until > now_ms:
        return None
    return _read(row[: len(_FIELDS)])


def hold(tx: Tx, message_id: str, until_ms: int) -> None:
    """Let nobody else decide about it until then."""
    tx.later(_HOLD, {"b_id": message_id, "b_until": until_ms})


def decide(tx: Tx, message_id: str, decision: MessageDecision, now_ms: int) -> None:
    """Take out what it said, and remember what became of it."""
    tx.later(_DECIDE, {"b_id": message_id, "b_decision": decision, "b_at": now_ms})


def forget_old(tx: Tx, now_ms: int) -> None:
    """Forget decisions about messages of which no copy can lie in a queue any more."""
    tx.later(_FORGET, {"b_before": now_ms - REMEMBERED_MS})


def _read(row: Sequence[object]) -> DeadMessage:
    message_id, queue, body, attributes, group, cause, sent_at = row
    pairs = tuple((name, value) for name, value in orjson.loads(str(attributes)))
    return DeadMessage(
        str(message_id), str(queue), str(body), pairs, str(group), str(cause), int(str(sent_at))
    )
