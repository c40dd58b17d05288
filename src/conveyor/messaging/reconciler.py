"""The reconciler: losing messages, even all of them, loses no order.

The order row says what token it is owed and by when that should have moved it. What is overdue
and has no row in the outbox is owed a message that is lost, or waits in a long queue; the queue's
depth tells which. Sending it once too often is harmless: the version fences it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from conveyor.messaging import order as status
from conveyor.messaging import outbox, timeline
from conveyor.messaging.engine import Engine
from conveyor.messaging.handling import owed_step
from conveyor.messaging.order import Order
from conveyor.messaging.outbox import Owed, wait_for_stop
from conveyor.messaging.routing_slip import service_of
from conveyor.messaging.tables import orders
from conveyor.messaging.tables import outbox as outbox_table
from conveyor.messaging.transaction import Tx
from conveyor.messaging.turns import Turn

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 10.0
OVERDUE_MS = 10_000
# A queue that is never empty could hide a lost message for ever: past this age it is sent again.
LOST_MS = 300_000
PAGE_ROWS = 500

_OVERDUE = (
    sa.select(orders)
    .outerjoin(outbox_table, outbox_table.c.order_id == orders.c.id)
    .where(
        orders.c.settled_at.is_(None),
        orders.c.status.in_([status.PROCESSING, status.COMPENSATING, status.AWAITING]),
        orders.c.expected_at < sa.bindparam("before"),
        outbox_table.c.order_id.is_(None),
    )
    .order_by(orders.c.expected_at, orders.c.sequence)
    .limit(PAGE_ROWS)
)
_LOCK_OVERDUE = _OVERDUE.with_for_update(of=orders, skip_locked=True)
_EXPECT = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("b_id"), orders.c.version == sa.bindparam("b_version"))
    .values(expected_at=sa.bindparam("b_expected_at"))
)


class Reconciler:
    """Finds orders whose token is lost and sends it again."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is started; see `run`."""
        self._engine = engine

    async def run(self, stop: asyncio.Event) -> None:
        """Look every `RECONCILE_SECONDS`, until told to stop."""
        while not stop.is_set():
            try:
                while await self.reconcile_once() >= PAGE_ROWS and not stop.is_set():
                    pass
            except Exception:
                log.exception("reconciling failed; it is tried again")
            await wait_for_stop(stop, RECONCILE_SECONDS)

    async def reconcile_once(self) -> int:
        """Send what is lost, one page of it; gives how many tokens were sent again."""
        engine = self._engine
        now = engine.ambient.now_ms()
        overdue = await engine.database.read(lambda tx: self._overdue(tx, now))
        by_queue: dict[str, list[Order]] = defaultdict(list)
        for order in overdue:
            by_queue[service_of(owed_step(self._engine.registry, order))].append(order)
        lost: list[str] = []
        for name, waiting in by_queue.items():
            depth = (await engine.queues.queue(name).depth()).total
            lost += [
                order.id
                for order in waiting
                if depth < len(waiting) or order.expected_at < now - LOST_MS
            ]
        if not lost:
            return 0
        resent = await engine.database.run(lambda tx: self._owe_again(tx, set(lost), now))
        await engine.relay.send(resent)
        for row in resent:
            engine.tally["resent", row.queue] += 1
        return len(resent)

    def _overdue(self, tx: Tx, now: int) -> list[Order]:
        rows = tx.execute(_OVERDUE, {"before": now - OVERDUE_MS})
        found = (Order(*row) for row in rows)
        return [order for order in found if order.flow in self._engine.registry.flows]

    def _owe_again(self, tx: Tx, lost: set[str], now: int) -> Sequence[Owed]:
        rows = tx.execute(_LOCK_OVERDUE, {"before": now - OVERDUE_MS})
        resent = []
        for order in (Order(*row) for row in rows):
            if order.id not in lost:
                continue
            step = owed_step(self._engine.registry, order)
            turn = Turn(order.group_key, order.sequence)
            token = Owed(order.id, order.version, service_of(step), step, turn, now)
            outbox.put(tx, token)
            tx.later(_EXPECT, {"b_id": order.id, "b_version": order.version, "b_expected_at": now})
            timeline.note(tx, order.id, order.version, now, timeline.RESENT, step=step)
            resent.append(token)
        return resent
