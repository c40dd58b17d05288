"""Orders that nothing will move: overdue, with no token in the outbox and none in their queue.

Where the reconciler runs it sends such a token again; this is for data at rest, and for a system
whose reconciler does not do its work.
"""

from __future__ import annotations

from collections import defaultdict

import sqlalchemy as sa

from conveyor.app.audit.report import Finding
from conveyor.messaging.engine import Engine
from conveyor.messaging.handling import owed_step
from conveyor.messaging.order import AWAITING, COMPENSATING, PROCESSING, Order
from conveyor.messaging.routing_slip import service_of
from conveyor.messaging.tables import orders, outbox
from conveyor.messaging.transaction import Tx

_OVERDUE = (
    sa.select(orders)
    .outerjoin(outbox, outbox.c.order_id == orders.c.id)
    .where(
        orders.c.settled_at.is_(None),
        orders.c.status.in_([PROCESSING, COMPENSATING, AWAITING]),
        orders.c.expected_at < sa.bindparam("before"),
        outbox.c.order_id.is_(None),
    )
    .order_by(orders.c.id)
)


async def check_overdue(engine: Engine, before: int) -> Finding:
    """Hold the overdue orders of each queue against the messages that are in it."""
    finding = Finding(
        "overdue_has_a_token", 6, "An overdue order's token is in its queue, or in the outbox"
    )
    by_queue: dict[str, list[str]] = defaultdict(list)
    for order in await engine.database.read(lambda tx: _overdue(tx, before)):
        if step := owed_step(engine.registry, order):
            by_queue[service_of(step)].append(order.id)
    for name, waiting in by_queue.items():
        messages = (await engine.queues.queue(name).depth()).total
        lost = len(waiting) if messages < len(waiting) else 0
        finding.add(len(waiting), lost, waiting if lost else ())
    return finding


def _overdue(tx: Tx, before: int) -> list[Order]:
    return [Order(*row) for row in tx.execute(_OVERDUE, {"before": before})]
