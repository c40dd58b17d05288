"""How a system stands, in a few figures: cheap enough to be asked each minute, however many orders.

Everything here is found on an index of what is open, parked or due.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core import dead_messages
from conveyor.core.attempts import called
from conveyor.core.engine import Engine
from conveyor.core.group_order import blocked
from conveyor.core.order_status import OrderStatus
from conveyor.core.tables import orders, outbox, parked
from conveyor.core.transaction import Tx

_OPEN = (
    sa.select(sa.func.count())
    .select_from(orders)
    .where(orders.c.settled_at.is_(None), orders.c.status != OrderStatus.PARKED)
)
_PARKED = sa.select(sa.func.count()).select_from(parked)
_DUE = sa.select(sa.func.count(), sa.func.min(outbox.c.due_at)).where(
    outbox.c.due_at <= sa.bindparam("now")
)
_WAITING = (
    sa.select(outbox.c.waits_for, sa.func.count())
    .where(outbox.c.waits_for != sa.text("''"))
    .group_by(outbox.c.waits_for)
    .order_by(outbox.c.waits_for)
)


@dataclass(frozen=True, slots=True)
class Due:
    """How many rows of the outbox are due, and for how long the oldest has been."""

    rows: int
    oldest_ms: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How everybody's orders stand. `blocked`: those that wait behind a parked one.

    `waiting`: those that wait for a provider that answers nobody. `dead`: messages that were
    drained from dead-letter queues, and wait for an operator.
    """

    open: int
    parked: int
    blocked: int
    waiting: int
    dead: int
    due: Due


def due(tx: Tx, now_ms: int) -> Due:
    """Look at what the outbox is late with."""
    rows, oldest = tx.execute(_DUE, {"now": now_ms}).one()
    return Due(int(rows), now_ms - int(now_ms if oldest is None else oldest))


def waiting(tx: Tx) -> dict[str, int]:
    """Count the orders that wait for a provider that is paused, by whom they wait for."""
    return {provider: int(many) for provider, many in tx.execute(_WAITING).all()}


def called_by_open(tx: Tx, services: Collection[str]) -> dict[str, int]:
    """Count the open orders by whom they have called by a step of these services."""
    whom = called(orders.c.id, services).label("whom")
    each = sa.select(whom).where(orders.c.settled_at.is_(None)).subquery()
    found = sa.select(each.c.whom, sa.func.count()).where(each.c.whom != sa.text("''"))
    rows = tx.execute(found.group_by(each.c.whom).order_by(each.c.whom)).all()
    return {name: int(many) for name, many in rows}


async def standing(engine: Engine, now_ms: int) -> Standing:
    """Look at everybody's orders."""
    return await engine.database.read(lambda tx: _standing(tx, now_ms))


def _standing(tx: Tx, now_ms: int) -> Standing:
    still_open = tx.execute(_OPEN).scalar_one()
    stopped = tx.execute(_PARKED).scalar_one()
    _, behind = blocked(tx)
    paused = sum(waiting(tx).values())
    dead = sum(dead_messages.counts(tx).values())
    return Standing(int(still_open), int(stopped), behind, paused, dead, due(tx, now_ms))
