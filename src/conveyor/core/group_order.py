"""The line of a message group: who is before whom, and who comes when a turn is over.

A token that comes before its turn is held: its message is deleted and the outbox owes it anew.
Whoever's turn is over lets those of the held come that are next, at once and in order; that they
would come by themselves, after a time, is for when this is not seen (two processes had tokens of
one group at the same time, which a FIFO queue prevents as long as visibility timeouts hold).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.outbox import OwedToken, claim
from conveyor.core.statements import one_of
from conveyor.core.tables import orders, outbox, parked
from conveyor.core.transaction import Tx
from conveyor.core.turns import Turn

HOLD_SECONDS = 2.0
HOLD_SECONDS_A_PLACE = 0.05
"""How long a token is held: the longer, the further behind the first in its group it is."""
HOLD_BEHIND_PARKED_SECONDS = 300.0
"""The same behind a parked order: what an operator decides lets it come at once."""
NEXT = 20
"""How many of a group are let come at a time."""
# A parameter would keep SQLite from using the indexes that are on a part of the rows.
ZERO: sa.ColumnElement[int] = sa.literal_column("0")

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
_firsts = (
    sa.select(_groups.c.group_key, _of_first(_other.c.sequence).label("first"))
    .select_from(_groups)
    .subquery()
)
# The first few of each such group, in turn, and what they are owed if they are held.
_NEXT = (
    sa.select(orders.c.group_key, orders.c.sequence, orders.c.traceparent, outbox)
    .select_from(_firsts)
    .join(
        orders,
        sa.and_(
            orders.c.group_key == _firsts.c.group_key,
            orders.c.sequence > ZERO,
            orders.c.sequence >= _firsts.c.first,
            orders.c.sequence < _firsts.c.first + NEXT,
        ),
    )
    .outerjoin(outbox, sa.and_(outbox.c.order_id == orders.c.id, outbox.c.held))
    .where(sa.not_(one_of(orders.c.id, "ids")))
    .order_by(orders.c.group_key, orders.c.sequence)
)
_ANY_HELD = sa.select(outbox.c.order_id).where(outbox.c.held).limit(1)
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

_first_parked = (
    sa.select(parked.c.group_key, sa.func.min(parked.c.sequence).label("sequence"))
    .where(parked.c.sequence > ZERO)
    .group_by(parked.c.group_key)
    .subquery()
)
_BLOCKED = (
    sa.select(sa.func.count(sa.distinct(orders.c.group_key)), sa.func.count())
    .select_from(_first_parked)
    .join(
        orders,
        sa.and_(
            orders.c.group_key == _first_parked.c.group_key,
            orders.c.sequence > ZERO,
            orders.c.sequence > _first_parked.c.sequence,
            orders.c.status != OrderStatus.PARKED,
        ),
    )
)


class GroupOrder:
    """The groups of one batch of tokens: who of it is to wait, and who else comes after it."""

    def __init__(self, tx: Tx, batch: Sequence[Order]) -> None:
        """Read who is first in the groups of these orders."""
        self._ids = [order.id for order in batch if order.sequence]
        self._first: dict[str, tuple[int, OrderStatus | None]] = {}
        self._here: dict[str, dict[str, int]] = {}
        self._parked: set[str] = set()
        self._over = False
        for order in batch:
            if order.sequence:
                self._here.setdefault(order.group_key, {})[order.id] = order.sequence
        if self._ids:
            for group, sequence, status in tx.execute(_FIRST, {"ids": self._ids}).all():
                if sequence is not None:
                    self._first[group] = (sequence, status)

    def holds(self, order: Order) -> float:
        """For how many seconds the order must rest, because it is not its turn; 0: it is."""
        if not order.sequence:
            return 0.0
        here = self._here[order.group_key]
        before = {i: n for i, n in here.items() if n < order.sequence}
        sequence, status = self._first.get(order.group_key, (order.sequence, None))
        first = min(sequence, *before.values(), order.sequence)
        if first == order.sequence:
            return 0.0
        if status == OrderStatus.PARKED or not self._parked.isdisjoint(before):
            return HOLD_BEHIND_PARKED_SECONDS
        places = order.sequence - first
        return min(HOLD_SECONDS + HOLD_SECONDS_A_PLACE * places, HOLD_BEHIND_PARKED_SECONDS)

    def had_its_turn(self, order: Order, *, parked: bool) -> None:
        """In this very transaction; who was parked keeps it."""
        if parked:
            self._parked.add(order.id)
        elif order.sequence:
            self._over = True
            del self._here[order.group_key][order.id]

    def let_come(self, tx: Tx, now_ms: int) -> None:
        """Owe the tokens of those who were held and are next, now that turns are over."""
        if not self._over or tx.execute(_ANY_HELD).first() is None:
            return
        come: list[OwedToken] = []
        stopped = ""
        for group, sequence, traceparent, *owed in tx.execute(_NEXT, {"ids": self._ids}).all():
            # Whoever is not held has a message, and lets the others come after it; so do those
            # of the batch that are still to have their turn.
            left = self._here.get(group, {}).values()
            if group == stopped or owed[0] is None or any(turn < sequence for turn in left):
                stopped = group
                continue
            order_id, version, queue, step, _, due_at, *_ = owed
            turn = Turn(group, sequence)
            come.append(
                OwedToken(order_id, version, queue, step, turn, due_at, traceparent=traceparent)
            )
        claim(tx, come, now_ms)


@dataclass(frozen=True, slots=True)
class Front:
    """Who is first of the `count` orders that are before one in its group."""

    order_id: str
    status: OrderStatus
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


_behind = waiting_behind().label("behind")
_BLOCKERS = (
    sa.select(parked.c.group_key, parked.c.order_id, parked.c.step, parked.c.parked_at, _behind)
    .join(
        _first_parked,
        sa.and_(
            _first_parked.c.group_key == parked.c.group_key,
            _first_parked.c.sequence == parked.c.sequence,
        ),
    )
    .join(orders, orders.c.id == parked.c.order_id)
    .where(_behind > 0)
    .order_by(_behind.desc(), parked.c.order_id)
)


def blocked(tx: Tx) -> tuple[int, int]:
    """Count the groups in which orders wait behind a parked one, and these orders."""
    groups, behind = tx.execute(_BLOCKED).one()
    return int(groups), int(behind)


@dataclass(frozen=True, slots=True)
class Blocker:
    """A parked order that is first in its message group; `behind` wait for it, parked or not."""

    group: str
    order_id: str
    step: str
    parked_at: int
    behind: int


def blockers(tx: Tx, merchant: str | None, *, limit: int) -> list[Blocker]:
    """Name a merchant's parked orders, or everybody's, that hold others back: most of them first.

    Of each group that is its first, behind which the others stand.
    """
    query = _BLOCKERS.limit(limit)
    if merchant is not None:
        query = query.where(orders.c.merchant == merchant)
    found = tx.execute(query).all()
    return [Blocker(group, of, step, int(at), int(many)) for group, of, step, at, many in found]


def release(tx: Tx, order: Order, now_ms: int) -> None:
    """Let those behind an order come again at once: somebody decides that it has no turn now."""
    if order.sequence:
        tx.later(_RELEASE, {"b_group_key": order.group_key, "b_due_at": now_ms})
