"""Turns: within a message group, effects follow the order in which tokens came to be owed.

A FIFO queue keeps the order in which it was sent to. But tokens that several processes commit may
be sent in another order, and the messages of some may be lost, or have left the queue because
their order is parked. So the database keeps the order, as it keeps everything: a token is given
its turn in the transaction that owes it (the lock of the group's counter makes the order of the
commits that of the turns), the order's row keeps it for as long as that token is owed, and a token
is not taken while an order of its group has an earlier one. It is then owed again, behind those.

A turn is over with the step's outcome: an order that awaits an answer, or is undone in a group of
its own, holds nobody back; a parked one does, until an operator has decided.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from conveyor.messaging.order import PARKED, Order
from conveyor.messaging.registry import Registry
from conveyor.messaging.routing_slip import service_of
from conveyor.messaging.statements import one_of
from conveyor.messaging.tables import orders, outbox, parked, turns
from conveyor.messaging.transaction import PerDialect, Tx

HOLD_SECONDS = 2.0
"""How long a token rests that came before its turn."""
HOLD_BEHIND_PARKED_SECONDS = 300.0
"""The same behind a parked order: what an operator decides lets it come at once."""
# A parameter would keep SQLite from using the index of the turns.
ZERO: sa.ColumnElement[int] = sa.literal_column("0")
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagegroupid-property.html
_GROUP_NAME = re.compile(r"[!-~]{1,128}")
_ASKED = ("turns asked for",)


@dataclass(slots=True)
class Turn:
    """A place in a group; sequence 0 is none, and what one has until it is given with the flush."""

    group_key: str = ""
    sequence: int = 0
    rows: list[tuple[dict[str, Any], str]] | None = None

    def into(self, row: dict[str, Any], column: str) -> None:
        """Write the sequence into a row that is written later in this transaction."""
        row[column] = self.sequence
        if self.rows is not None:
            self.rows.append((row, column))


NO_TURN = Turn()


def _next(insert: Any) -> sa.Executable:  # noqa: ANN401 - the dialects' inserts share no type
    row = insert(turns)
    upsert: sa.Executable = row.on_conflict_do_update(
        index_elements=["group_key"], set_={"last": turns.c.last + row.excluded.last}
    )
    return upsert


_NEXT = PerDialect(_next)
_LAST = sa.select(turns.c.group_key, turns.c.last).where(one_of(turns.c.group_key, "groups"))

_in_turn = (orders.c.sequence > ZERO, one_of(orders.c.id, "ids"))
_groups = sa.select(orders.c.group_key).where(*_in_turn).distinct().subquery()
_other = orders.alias()
_others = sa.and_(
    _other.c.group_key == _groups.c.group_key,
    _other.c.sequence > ZERO,
    sa.not_(one_of(_other.c.id, "ids")),
)


def _of_first(column: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
    query = sa.select(column).where(_others).order_by(_other.c.sequence).limit(1)
    return query.correlate(_groups).scalar_subquery()


# Of each group of these orders, the first turn of an order that is not among them.
_FIRST = sa.select(
    _groups.c.group_key, _of_first(_other.c.sequence), _of_first(_other.c.status)
).select_from(_groups)
_in_group = (orders.c.group_key == sa.bindparam("of_group"), orders.c.sequence > ZERO)
_BEFORE = (
    sa.select(orders.c.id, orders.c.status)
    .where(*_in_group, orders.c.sequence < sa.bindparam("of_sequence"))
    .order_by(orders.c.sequence)
)
_RELEASE = (
    sa.update(outbox)
    .where(
        outbox.c.held,
        outbox.c.order_id.in_(
            sa.select(orders.c.id).where(
                orders.c.group_key == sa.bindparam("b_group_key"), orders.c.sequence > ZERO
            )
        ),
    )
    .values(due_at=sa.bindparam("b_due_at"))
)


def group_name(queue: str, group: str) -> str:
    """Name a step's group: apart from other queues' groups, and as SQS takes names."""
    name = f"{queue}/{group}"
    if _GROUP_NAME.fullmatch(name):
        return name
    return f"{queue}/{hashlib.sha256(group.encode()).hexdigest()}"


def next_turn(tx: Tx, registry: Registry, step: str, order: Order) -> Turn:
    """Give the turn of an order that comes to be owed this step."""
    queue = registry.queues[service_of(step)]
    if not queue.fifo:
        return NO_TURN
    group = registry.step(step).group(order)
    # An order is owed one token at a time: a group of its own is in order without being counted.
    return Turn(order.id) if group == order.id else take_turn(tx, queue.name, group)


def take_turn(tx: Tx, queue: str, group: str) -> Turn:
    """Give the next turn of a group; which one it is, is known once this transaction writes."""
    turn = Turn(group_name(queue, group), rows=[])
    asked = tx.gathered.get(_ASKED)
    if asked is None:
        asked = tx.gathered[_ASKED] = {}
        tx.before_flush(lambda: _give(tx, asked))
    asked.setdefault(turn.group_key, []).append(turn)
    return turn


def _give(tx: Tx, asked: dict[str, list[Turn]]) -> None:
    # At the very end and in one order: others that want turns of the same groups wait only for
    # the commit, and no two wait for each other.
    groups = sorted(asked)
    tx.execute_all(_NEXT, [{"group_key": name, "last": len(asked[name])} for name in groups])
    for name, last in tx.execute(_LAST, {"groups": groups}).all():
        for sequence, turn in enumerate(asked[name], start=last - len(asked[name]) + 1):
            turn.sequence = sequence
            for row, column in turn.rows or ():
                row[column] = sequence


@dataclass(frozen=True, slots=True)
class Front:
    """Who is first of the `count` orders that are before one in its group."""

    order_id: str
    status: str
    count: int


def before(tx: Tx, order: Order) -> Front | None:
    """Say who is before an order; None when it is its turn, or it needs none."""
    if not order.sequence:
        return None
    bounds = {"of_group": order.group_key, "of_sequence": order.sequence}
    rows = tx.execute(_BEFORE, bounds).all()
    return Front(rows[0].id, rows[0].status, len(rows)) if rows else None


def waiting_behind() -> sa.ScalarSelect[int]:
    """Count, in a query on `parked`, the orders that a parked one holds back in its group."""
    return (
        sa.select(sa.func.count())
        .where(
            parked.c.sequence > ZERO,
            _other.c.group_key == parked.c.group_key,
            _other.c.sequence > ZERO,
            _other.c.sequence > parked.c.sequence,
        )
        .correlate(parked)
        .scalar_subquery()
    )


class Ahead:
    """What stands before the tokens of one batch, in their groups."""

    def __init__(self, tx: Tx, batch: Sequence[Order]) -> None:
        """Read who is first in the groups of these orders."""
        self._first: dict[str, tuple[int, str]] = {}
        self._here: dict[str, dict[str, int]] = {}
        self._parked: set[str] = set()
        for order in batch:
            if order.sequence:
                self._here.setdefault(order.group_key, {})[order.id] = order.sequence
        if self._here:
            ids = [order.id for order in batch if order.sequence]
            for group, sequence, status in tx.execute(_FIRST, {"ids": ids}).all():
                if sequence is not None:
                    self._first[group] = (sequence, status)

    def holds(self, order: Order) -> float:
        """For how many seconds the order must rest, because it is not its turn; 0: it is."""
        if not order.sequence:
            return 0.0
        sequence, status = self._first.get(order.group_key, (order.sequence, ""))
        before = [i for i, n in self._here[order.group_key].items() if n < order.sequence]
        if sequence >= order.sequence and not before:
            return 0.0
        behind_parked = status == PARKED or not self._parked.isdisjoint(before)
        return HOLD_BEHIND_PARKED_SECONDS if behind_parked else HOLD_SECONDS

    def had_its_turn(self, order: Order, *, parked: bool) -> None:
        """In this very transaction; who was parked keeps it."""
        if parked:
            self._parked.add(order.id)
        elif order.sequence:
            del self._here[order.group_key][order.id]


def release(tx: Tx, group_key: str, now_ms: int) -> None:
    """Let what waits behind a parked order come again at once."""
    tx.later(_RELEASE, {"b_group_key": group_key, "b_due_at": now_ms})
