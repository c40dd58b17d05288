"""Where the open orders stand, counted by merchant, flow and step: found on the index of the open.

However many have settled, it costs as much as there are open.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from conveyor.core.call_state import CallState
from conveyor.core.order_status import OrderStatus
from conveyor.core.tables import calls, orders
from conveyor.core.transaction import Tx


class Standing(StrEnum):
    """How an open order stands at its step."""

    WAITING = "waiting"
    """For a process to take it, or for its next try."""
    WORKING = "working"
    """Its provider has been called and has not answered."""
    OUTSIDE = "outside"
    """Somebody outside must answer."""
    UNDOING = "undoing"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Standers:
    """So many orders that stand alike; `oldest` is when the first of them came to its step."""

    merchant: str
    flow: str
    position: int
    standing: Standing
    count: int
    oldest: int


_CALLED = (
    sa.exists()
    .where(calls.c.order_id == orders.c.id, calls.c.state == CallState.INTENDED)
    .correlate(orders)
)
_STANDING = sa.case(
    (orders.c.status == OrderStatus.PARKED, Standing.PARKED.value),
    (orders.c.status == OrderStatus.AWAITING, Standing.OUTSIDE.value),
    (orders.c.status == OrderStatus.COMPENSATING, Standing.UNDOING.value),
    (_CALLED, Standing.WORKING.value),
    else_=Standing.WAITING.value,
).label("standing")
# Not the plain column: for that SQLite would take the index of all orders of a merchant.
_MERCHANT = orders.c.merchant.concat("").label("merchant")
_OPEN = (
    sa.select(_MERCHANT, orders.c.flow, orders.c.position, _STANDING, orders.c.updated_at)
    .where(orders.c.settled_at.is_(None))
    .subquery()
)
_KINDS = (_OPEN.c.merchant, _OPEN.c.flow, _OPEN.c.position, _OPEN.c.standing)
_COUNT = sa.select(*_KINDS, sa.func.count(), sa.func.min(_OPEN.c.updated_at)).group_by(*_KINDS)


def standers(tx: Tx) -> list[Standers]:
    """Count everybody's open orders."""
    return [
        Standers(merchant, flow, int(position), Standing(standing), int(count), int(oldest))
        for merchant, flow, position, standing, count, oldest in tx.execute(_COUNT)
    ]
