"""What there is to see of the demonstration while it runs, and afterwards."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa

from conveyor.core.order_status import OrderStatus
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Place, flow_name, step_at
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.system.built_in import built_in

FLOWS = tuple(flow for it in built_in() for flow in it.flows)


def orders_by_step(tx: Tx, registry: Registry) -> Counter[tuple[str, str]]:
    """Count orders by flow and by the step that they are owed, or else by their status."""
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


def worth_a_look(tx: Tx) -> dict[str, str]:
    """Give an order of each kind that has a story to tell, with what is special about it."""
    told: dict[str, str] = {}
    for extension in built_in():
        demo = extension.demo()
        mine = orders.c.flow.in_([flow.key for flow in extension.flows])
        for condition, why in demo.stories if demo else ():
            query = sa.select(orders.c.id).where(mine, condition).order_by(orders.c.id).limit(1)
            found = tx.execute(query).scalar()
            if found is not None:
                told[found] = why
    return told
