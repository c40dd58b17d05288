"""What there is to see of the demonstration while it runs, and afterwards."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa

from conveyor.flows import FOOD, RENEWAL, SHOP, TRAVEL
from conveyor.messaging.order import AWAITING, COMPLETED, PARKED
from conveyor.messaging.registry import Registry
from conveyor.messaging.routing_slip import Flow, Place, owed
from conveyor.messaging.tables import orders, timeline
from conveyor.messaging.transaction import Tx
from conveyor.services.riders.model import DECLINED
from conveyor.services.riders.store import offers

FLOWS = (SHOP, FOOD, TRAVEL, RENEWAL)


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
    for flow, condition, why in _STORIES:
        mine = orders.c.flow.startswith(f"{flow.name}@")
        query = sa.select(orders.c.id).where(mine, condition).order_by(orders.c.id).limit(1)
        found = tx.execute(query).scalar()
        if found is not None:
            told[found] = why
    return told


def _paid(status: str, method: str) -> sa.ColumnElement[bool]:
    return sa.and_(orders.c.status == status, orders.c.body.contains(f'"{method}"'))


def _among(column: sa.ColumnElement[Any], condition: sa.ColumnElement[bool]) -> Any:  # noqa: ANN401
    ids = sa.select(column).where(condition)
    return sa.and_(orders.c.status == COMPLETED, orders.c.id.in_(ids))


_CAME_FREE = timeline.c.detail.contains("a place came free")
_STORIES: tuple[tuple[Flow, sa.ColumnElement[bool], str], ...] = (
    (SHOP, _paid(COMPLETED, "card_flaky"), "its card failed twice, then worked"),
    (SHOP, _paid(COMPLETED, "card_unanswered"), "it was charged, and no answer came"),
    (SHOP, orders.c.reason.startswith("sold out"), "sold out: what was authorized is let go"),
    (SHOP, _paid(PARKED, "card_down"), "parked: its bank is down"),
    (FOOD, _among(offers.c.order_id, offers.c.state == DECLINED), "another rider took it"),
    (TRAVEL, _among(timeline.c.order_id, _CAME_FREE), "it waited for a seat, and got one"),
    (RENEWAL, orders.c.status == AWAITING, "past due: its card is tried again on another day"),
)


def _name(flow: str) -> str:
    return flow.partition("@")[0]
