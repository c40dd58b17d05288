"""Turns: within a message group, effects follow the order in which tokens came to be owed.

A FIFO queue keeps the order in which it was sent to; but tokens that several processes commit may
be sent in another order, and a parked order has left the queue. So the database keeps the order,
as it keeps everything: a token is given its turn in the transaction that owes it (the counter's
row lock makes commit order and turns agree), and is not taken while an earlier turn of its group
is still owed or parked. It is then owed again, behind those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from conveyor.messaging.order import Order
from conveyor.messaging.tables import outbox, parked, turns
from conveyor.messaging.transaction import PerDialect, Tx

HOLD_SECONDS = 5.0
"""How long a token rests that came before its turn."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A place in a group; sequence 0 is that of queues without order."""

    group_key: str = ""
    sequence: int = 0


NO_TURN = Turn()


def _next(insert: Any) -> sa.Executable:  # noqa: ANN401 - the dialects' inserts share no type
    statement = insert(turns).values(last=1)
    upsert: sa.Executable = statement.on_conflict_do_update(
        index_elements=["queue", "group_key"], set_={"last": turns.c.last + 1}
    ).returning(turns.c.last)
    return upsert


_NEXT = PerDialect(_next)
_GROUPS: sa.BindParameter[Any] = sa.bindparam("groups", expanding=True)
_QUEUE: sa.BindParameter[Any] = sa.bindparam("queue")
_OWED = sa.select(outbox.c.group_key, outbox.c.sequence, outbox.c.order_id).where(
    outbox.c.queue == _QUEUE, outbox.c.group_key.in_(_GROUPS), outbox.c.sequence > 0
)
_PARKED = sa.select(parked.c.group_key, parked.c.sequence, parked.c.order_id).where(
    parked.c.queue == _QUEUE, parked.c.group_key.in_(_GROUPS)
)
_RELEASE = (
    sa.update(outbox)
    .where(
        outbox.c.queue == sa.bindparam("b_queue"),
        outbox.c.group_key == sa.bindparam("b_group_key"),
        outbox.c.sequence > 0,
    )
    .values(due_at=sa.bindparam("b_due_at"))
)


def take_turn(tx: Tx, queue: str, group_key: str) -> Turn:
    """Give the next turn of a group. Others that take one wait until this transaction ends."""
    row = tx.execute(_NEXT, {"queue": queue, "group_key": group_key}).one()
    return Turn(group_key, row[0])


class Ahead:
    """What stands before the tokens of one batch, in their groups."""

    def __init__(self, tx: Tx, queue: str, orders: Sequence[Order]) -> None:
        """Read what is owed or parked in the groups of these orders."""
        groups = sorted({order.group_key for order in orders if order.sequence})
        self._ahead: dict[str, dict[str, int]] = {group: {} for group in groups}
        if not groups:
            return
        params = {"queue": queue, "groups": groups}
        for query in (_OWED, _PARKED):
            for group, sequence, order_id in tx.execute(query, params):
                self._ahead[group][order_id] = sequence

    def blocks(self, order: Order) -> bool:
        """Whether an earlier turn of the order's group is still to come."""
        if not order.sequence:
            return False
        others = self._ahead[order.group_key].items()
        return any(turn < order.sequence for other, turn in others if other != order.id)

    def note(self, order: Order, *, done: bool) -> None:
        """The order has had its turn in this very transaction, or is still to have it."""
        if not order.sequence:
            return
        if done:
            self._ahead[order.group_key].pop(order.id, None)
        else:
            self._ahead[order.group_key][order.id] = order.sequence


def release(tx: Tx, queue: str, group_key: str, now_ms: int) -> None:
    """Let what waits behind a parked order come again at once."""
    tx.later(_RELEASE, {"b_queue": queue, "b_group_key": group_key, "b_due_at": now_ms})
