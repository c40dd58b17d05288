"""Orders that nothing will move: overdue, with no token in the outbox and none in their queue.

Where the reconciler runs it sends such a token again; this is for data at rest, and for a system
whose reconciler does not do its work.
"""

from __future__ import annotations

from collections import defaultdict

import sqlalchemy as sa

from conveyor.checks.finding import Finding
from conveyor.core.engine import Engine
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.place import due_step
from conveyor.core.routing_slip import service_of
from conveyor.core.tables import orders, outbox, timeline
from conveyor.core.transaction import Tx

UNSENT_MS = 24 * 3_600_000
"""No row of the outbox stays behind for so long while its system works."""

# What has stood still whole is not late for that: time counts up to the last thing that happened,
# which moved its order, or is told of one that is open.
_LAST_MOVE = sa.select(sa.func.max(orders.c.updated_at))
_LAST_SIGN = (
    sa.select(sa.func.max(timeline.c.at))
    .join(orders, orders.c.id == timeline.c.order_id)
    .where(orders.c.settled_at.is_(None))
)
_UNSENT = (
    sa.select(outbox.c.order_id)
    .join(orders, orders.c.id == outbox.c.order_id)
    .where(outbox.c.due_at < sa.bindparam("before"), sa.not_(outbox.c.held))
    .order_by(outbox.c.order_id)
)
_OVERDUE = (
    sa.select(orders)
    .outerjoin(outbox, outbox.c.order_id == orders.c.id)
    .where(
        orders.c.settled_at.is_(None),
        orders.c.status.in_(
            [OrderStatus.PROCESSING, OrderStatus.COMPENSATING, OrderStatus.AWAITING]
        ),
        orders.c.expected_at < sa.bindparam("before"),
        outbox.c.order_id.is_(None),
    )
    .order_by(orders.c.id)
)


async def check_overdue(engine: Engine, before: int) -> Finding:
    """Hold the overdue orders of each queue against the messages that are in it."""
    finding = Finding(
        "overdue_has_a_token",
        6,
        "An overdue order's token is in its queue, or in an outbox that is sent",
    )
    by_queue: dict[str, list[str]] = defaultdict(list)
    for order in await engine.database.examine(lambda tx: _overdue(tx, before)):
        if step := due_step(engine.registry.flows, order):
            by_queue[service_of(step)].append(order.id)
    for name, waiting in by_queue.items():
        messages = (await engine.queues.queue(name).depth()).total
        lost = len(waiting) if messages < len(waiting) else 0
        finding.add(len(waiting), lost, waiting if lost else ())
    unsent = await engine.database.examine(lambda tx: _unsent(tx, before))
    finding.add(len(unsent), len(unsent), unsent)
    return finding


def _unsent(tx: Tx, before: int) -> list[str]:
    # Hardly ever is there any, and the last sign of life is long to look for.
    if not tx.execute(_UNSENT.limit(1), {"before": before}).first():
        return []
    signs = (tx.execute(query).scalar() for query in (_LAST_MOVE, _LAST_SIGN))
    return list(tx.execute(_UNSENT, {"before": max(it or 0 for it in signs) - UNSENT_MS}).scalars())


def _overdue(tx: Tx, before: int) -> list[Order]:
    return [Order(*row) for row in tx.execute(_OVERDUE, {"before": before}).all()]
