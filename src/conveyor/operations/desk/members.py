"""The orders of a pile, in the order in which they go back: those of a message group in turn."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.order import Order
from conveyor.core.parking import Parked
from conveyor.core.routing_slip import flow_name
from conveyor.core.statements import one_of
from conveyor.core.tables import orders, parked
from conveyor.core.transaction import Tx
from conveyor.operations.desk.piles import Pile, key_of

CHUNK = 500
"""How many parked orders are read at a time, to look for those of the pile."""
START = (-1, "")

Cursor = tuple[int, str]
"""The turn and the id of the last order seen."""

_AT_STEP = (
    sa.select(parked.c.sequence, parked.c.order_id, parked.c.cause, orders.c.flow)
    .join(orders, orders.c.id == parked.c.order_id)
    .where(
        parked.c.step == sa.bindparam("of_step"),
        parked.c.parked_at <= sa.bindparam("until"),
        sa.or_(
            parked.c.sequence > sa.bindparam("after_turn"),
            sa.and_(
                parked.c.sequence == sa.bindparam("after_turn"),
                parked.c.order_id > sa.bindparam("after_id"),
            ),
        ),
    )
    .order_by(parked.c.sequence, parked.c.order_id)
    .limit(CHUNK)
)
_WHOLE = (
    sa.select(parked, orders)
    .join(orders, orders.c.id == parked.c.order_id)
    .where(one_of(parked.c.order_id, "ids"))
    .order_by(parked.c.sequence, parked.c.order_id)
)
_FIELDS = len(parked.c)


@dataclass(frozen=True, slots=True)
class Member:
    """A parked order of a pile."""

    order: Order
    parked: Parked

    @property
    def cursor(self) -> Cursor:
        """Give its place in the pile."""
        return self.parked.sequence, self.order.id


def members(
    tx: Tx,
    pile: Pile,
    merchant: str | None,
    *,
    limit: int,
    after: Cursor = START,
    until: int | None = None,
    chosen: Collection[str] = (),
) -> list[Member]:
    """Give so many orders of a pile that were parked by `until`; of the chosen, if any."""
    found: list[str] = []
    for order_id in _ids(tx, pile, merchant, after, pile.newest if until is None else until):
        if not chosen or order_id in chosen:
            found.append(order_id)
            if len(found) == limit:
                break
    rows = tx.execute(_WHOLE, {"ids": found}).all() if found else ()
    return [Member(Order(*row[_FIELDS:]), Parked(*row[:_FIELDS])) for row in rows]


def _ids(tx: Tx, pile: Pile, merchant: str | None, after: Cursor, until: int) -> Iterator[str]:
    query = _AT_STEP if merchant is None else _AT_STEP.where(orders.c.merchant == merchant)
    while True:
        bounds = {"after_turn": after[0], "after_id": after[1]}
        rows = tx.execute(query, {"of_step": pile.step, "until": until, **bounds}).all()
        for _, order_id, cause, flow in rows:
            if key_of(flow_name(flow), pile.step, cause) == pile.key:
                yield order_id
        if len(rows) < CHUNK:
            return
        after = int(rows[-1].sequence), rows[-1].order_id
