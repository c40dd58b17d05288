"""What there is to see of the demonstration while it runs."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa

from conveyor.core.engine import Engine
from conveyor.core.order_status import OrderStatus
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Place, flow_name, step_at
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx


async def orders_by_step(engine: Engine) -> Counter[tuple[str, str]]:
    """Count orders by flow and by the step that they are owed, or else by their status."""
    return await engine.database.read(lambda tx: _by_step(tx, engine.registry))


def _by_step(tx: Tx, registry: Registry) -> Counter[tuple[str, str]]:
    row = orders.c
    where = (row.flow, row.position, row.ending, row.status)
    is_open = row.settled_at.is_(None)
    query = sa.select(*where, sa.func.count()).where(is_open).group_by(*where)
    counts: Counter[tuple[str, str]] = Counter()
    for flow, position, ending, status, count in tx.execute(query):
        step = (
            OrderStatus.PARKED
            if status == OrderStatus.PARKED
            else step_at(registry.flow(flow), Place(position, ending))
        )
        counts[flow_name(flow), step] += count
    ended = sa.select(row.flow, row.status, sa.func.count()).where(sa.not_(is_open))
    for flow, status, count in tx.execute(ended.group_by(row.flow, row.status)):
        counts[flow_name(flow), status] += count
    return counts
