"""What there is to see of the demonstration while it runs, and afterwards."""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa

from conveyor.app.built_in import built_in
from conveyor.app.demo.stage import demos
from conveyor.messaging.order import PARKED
from conveyor.messaging.registry import Registry
from conveyor.messaging.routing_slip import Place, owed
from conveyor.messaging.tables import orders
from conveyor.messaging.transaction import Tx

FLOWS = tuple(flow for it in built_in() for flow in it.flows)


def orders_by_step(tx: Tx, registry: Registry) -> Counter[tuple[str, str]]:
    """Count orders by flow and by the step that they are owed, or else by their status."""
    row = orders.c
    where = (row.flow, row.position, row.ending, row.status)
    is_open = row.settled_at.is_(None)
    query = sa.select(*where, sa.func.count()).where(is_open).group_by(*where)
    counts: Counter[tuple[str, str]] = Counter()
    for flow, position, ending, status, count in tx.execute(query):
        step = PARKED if status == PARKED else owed(registry.flow(flow), Place(position, ending))
        counts[_name(flow), step] += count
    ended = sa.select(row.flow, row.status, sa.func.count()).where(sa.not_(is_open))
    for flow, status, count in tx.execute(ended.group_by(row.flow, row.status)):
        counts[_name(flow), status] += count
    return counts


def worth_a_look(tx: Tx) -> dict[str, str]:
    """Give an order of each kind that has a story to tell, with what is special about it."""
    told: dict[str, str] = {}
    for flow, condition, why in (story for demo in demos() for story in demo.stories):
        mine = orders.c.flow.startswith(f"{flow}@")
        query = sa.select(orders.c.id).where(mine, condition).order_by(orders.c.id).limit(1)
        found = tx.execute(query).scalar()
        if found is not None:
            told[found] = why
    return told


def _name(flow: str) -> str:
    return flow.partition("@")[0]
