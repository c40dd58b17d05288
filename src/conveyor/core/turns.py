"""Turns: within a message group, effects follow the order in which tokens came to be owed.

A FIFO queue keeps the order in which it was sent to. But tokens that several processes commit may
be sent in another order, and the messages of some may be lost, or have left the queue because
their order is parked. So the database keeps the order, as it keeps everything: a token is given
its turn in the transaction that owes it (the lock of the group's counter makes the order of the
commits that of the turns), the order's row keeps it for as long as that token is owed, and a token
is not taken while an order of its group has an earlier one (see `group_order`).

A turn is over with the step's outcome: an order that awaits an answer, or is undone in a group of
its own, holds nobody back; a parked one does, until an operator has decided.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from conveyor.core.gathered import PerTransaction
from conveyor.core.order import Order
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import service_of
from conveyor.core.statements import one_of
from conveyor.core.tables import turns
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagegroupid-property.html
_GROUP_NAME = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class Turn:
    """A place in a group; sequence 0 is none.

    A turn that is taken in this transaction gets its sequence at the end: until then it is known by
    `asked`, as the how-manieth of its group, and `write_turn` sees to the rows that it stands in.
    """

    group_key: str = ""
    sequence: int = 0
    asked: int | None = None


NO_TURN = Turn()


@dataclass(slots=True)
class _Asked:
    """Turns of one group that are asked for: how many, and the rows that each stands in."""

    count: int = 0
    rows: list[tuple[int, dict[str, Any], str]] = field(default_factory=list)


def _none_asked(tx: Tx) -> dict[str, _Asked]:
    asked: dict[str, _Asked] = defaultdict(_Asked)
    tx.before_flush(lambda: _give(tx, asked))
    return asked


_ASKED = PerTransaction(_none_asked)


def write_turn(tx: Tx, turn: Turn, row: dict[str, Any], column: str) -> None:
    """Write a turn's sequence into a row that `tx.later` holds, now or when it is known."""
    row[column] = turn.sequence
    if turn.asked is not None:
        _ASKED.of(tx)[turn.group_key].rows.append((turn.asked, row, column))


def _next(insert: DialectInsert) -> sa.Executable:
    row = insert(turns)
    upsert: sa.Executable = row.on_conflict_do_update(
        index_elements=["group_key"], set_={"last": turns.c.last + row.excluded.last}
    )
    return upsert


_NEXT = PerDialect(_next)
_LAST = sa.select(turns.c.group_key, turns.c.last).where(one_of(turns.c.group_key, "groups"))


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
    name = group_name(queue, group)
    asked = _ASKED.of(tx)[name]
    asked.count += 1
    return Turn(name, asked=asked.count)


def _give(tx: Tx, asked: Mapping[str, _Asked]) -> None:
    # At the very end and in one order: others that want turns of the same groups wait only for
    # the commit, and no two wait for each other.
    groups = sorted(asked)
    tx.execute_all(_NEXT, [{"group_key": name, "last": asked[name].count} for name in groups])
    for name, last in tx.execute(_LAST, {"groups": groups}).all():
        for number, row, column in asked[name].rows:
            row[column] = last - asked[name].count + number
