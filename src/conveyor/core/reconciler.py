"""The reconciler: losing messages, even all of them, loses no order.

The order row says what token it is owed and by when that should have moved it. What is overdue
and has no row in the outbox is owed a message that is lost, or waits in a long queue; the queue's
depth tells which. Sending it once too often is harmless, the version fences it, but behind a
service that stands still copies would heap up: each time that a token is sent again, it is given
twice the time. So is overdue what a clock that was wrong expects at a time that nothing can have
set (see `ahead`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa

from conveyor.core import ahead, elsewhere, outbox, timeline
from conveyor.core.ambient import CLOCK_SLACK_MS
from conveyor.core.engine import Engine
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.outbox import OwedToken
from conveyor.core.routing_slip import Place, service_of, step_at
from conveyor.core.supervision import wait_for_stop
from conveyor.core.tables import orders
from conveyor.core.tables import outbox as outbox_table
from conveyor.core.tables import timeline as timeline_table
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.core.turns import Turn

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 10.0
OVERDUE_MS = 10_000
# A queue that is never empty could hide a lost message for ever: past this age it is sent again.
LOST_MS = 300_000
DOUBLINGS = 5
"""How often both times double for an order whose token was sent again and has not moved it."""
LONGEST_MS = LOST_MS << DOUBLINGS
"""Past this age a token is sent again in any case: five times in the first four hours."""
PAGE_ROWS = 500
RECALL_ROUNDS = 6
"""Every so many rounds, what the outbox holds is looked through for what lies too far ahead."""

_place = (orders.c.flow, orders.c.position, orders.c.ending)
_standing = (
    orders.c.settled_at.is_(None),
    orders.c.status.in_([OrderStatus.PROCESSING, OrderStatus.COMPENSATING, OrderStatus.AWAITING]),
    sa.or_(
        orders.c.expected_at < sa.bindparam("before"),
        orders.c.expected_at > sa.bindparam("ahead"),
    ),
    outbox_table.c.order_id.is_(None),
)
_and_owed = orders.outerjoin(outbox_table, outbox_table.c.order_id == orders.c.id)
# Where orders stand, and how many: these rows are few, however many orders there are.
_STANDING = (
    sa.select(*_place, sa.func.count()).select_from(_and_owed).where(*_standing).group_by(*_place)
)
# Counted no further than it matters, and only for what is overdue.
_resent = (
    sa.select(sa.literal(1))
    .where(
        timeline_table.c.order_id == orders.c.id,
        timeline_table.c.version == orders.c.version,
        timeline_table.c.event == TimelineEvent.RESENT,
    )
    .correlate(orders)
    .limit(DOUBLINGS)
    .subquery()
)
_times_resent = sa.select(sa.func.count()).select_from(_resent).scalar_subquery()
_wait = sa.bindparam("wait", type_=sa.BigInteger).op("<<")(sa.cast(_times_resent, sa.Integer))
_had_its_time = orders.c.expected_at + _wait < sa.bindparam("now")
_PAGE = (
    sa.select(orders)
    .select_from(_and_owed)
    .where(
        *_standing,
        sa.or_(_had_its_time, orders.c.expected_at > sa.bindparam("ahead")),
        orders.c.flow == sa.bindparam("of_flow"),
        orders.c.position == sa.bindparam("of_position"),
        orders.c.ending == sa.bindparam("of_ending"),
    )
    .order_by(orders.c.expected_at, orders.c.sequence)
    .limit(sa.bindparam("most"))
    .with_for_update(of=orders, skip_locked=True)
)
_EXPECT = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("b_id"), orders.c.version == sa.bindparam("b_version"))
    .values(expected_at=sa.bindparam("b_expected_at"))
)


@dataclass(frozen=True, slots=True)
class Standing:
    """So many orders stand at this step of this flow, overdue."""

    flow: str
    place: Place
    step: str
    count: int


class Reconciler:
    """Finds orders whose token is lost and sends it again."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is started; see `run`."""
        self._engine = engine
        # A message rests in its queue no longer than this, so nothing is expected later.
        self._ahead_ms = round(engine.retries.cap_seconds * 1000) + CLOCK_SLACK_MS

    async def run(self, stop: asyncio.Event) -> None:
        """Look every `RECONCILE_SECONDS`, until told to stop."""
        rounds = 0
        while not stop.is_set():
            said = "reconciling failed; it is tried again"
            with self._engine.gate.surviving(log, said):
                await self.reconcile_once()
                await self.end_overdue()
                if rounds % RECALL_ROUNDS == 0:
                    await ahead.recall_all(self._engine)
            rounds += 1
            await wait_for_stop(stop, RECONCILE_SECONDS)

    async def reconcile_once(self) -> int:
        """Send whatever is lost, page by page; gives how many tokens were sent again."""
        now = self._engine.ambient.now_ms()
        found = await self._engine.database.read(lambda tx: list(self._standing(tx, now)))
        by_queue: dict[str, list[Standing]] = defaultdict(list)
        for standing in found:
            by_queue[service_of(standing.step)].append(standing)
        return sum([await self._resend(name, here, now) for name, here in by_queue.items()])

    async def end_overdue(self) -> None:
        """Decide about orders that somebody elsewhere has had for longer than their step allows."""
        engine = self._engine
        for stretch in elsewhere.stretches(engine.registry):
            context = engine.group_context(isolate=False)
            await engine.relay.commit(
                partial(elsewhere.end_overdue, context=context, stretch=stretch)
            )

    def _standing(self, tx: Tx, now: int) -> Iterator[Standing]:
        for flow, position, ending, count in tx.execute(_STANDING, self._bounds(now - OVERDUE_MS)):
            # Where a flow is not installed, nobody here knows what its orders are owed.
            if installed := self._engine.registry.flows.get(flow):
                place = Place(position, ending)
                yield Standing(flow, place, step_at(installed, place), count)

    async def _resend(self, queue: str, here: Sequence[Standing], now: int) -> int:
        depth = await self._engine.queues.queue(queue).depth()
        overdue = sum(standing.count for standing in here)
        missing = overdue - depth.total
        # Which of them are missing nobody knows: of a few, all are sent again.
        most = max(missing, min(overdue, PAGE_ROWS)) if missing > 0 else 0
        sent = 0
        for standing in here:
            sent += await self._pages(standing, now, OVERDUE_MS, most - sent)
        # What nobody reads hides nothing: once somebody does, it runs empty or takes its time.
        unread = depth.visible > 0 and not depth.in_flight
        for standing in here:
            age = LONGEST_MS if unread else LOST_MS
            sent += await self._pages(standing, now, age, standing.count)
        return sent

    async def _pages(self, standing: Standing, now: int, age: int, most: int) -> int:
        """Send up to `most` tokens again of what is overdue by `age`, the oldest first."""
        sent = 0
        while sent < most:
            room = min(PAGE_ROWS, most - sent)
            page = await self._page(standing, now, age, room)
            sent += page
            if page < room:
                break
        return sent

    async def _page(self, standing: Standing, now: int, age: int, most: int) -> int:
        engine = self._engine
        wait = min(age, LOST_MS)
        asked = self._bounds(now - age) | {"now": now, "wait": wait, "most": most}
        resent = await engine.relay.commit(lambda tx: self._owe_again(tx, standing, asked))
        if resent:  # what never happens is not counted either
            engine.tally["resent", service_of(standing.step)] += resent
        return resent

    def _bounds(self, before: int) -> dict[str, int]:
        return {"before": before, "ahead": self._engine.ambient.now_ms() + self._ahead_ms}

    def _owe_again(self, tx: Tx, standing: Standing, asked: dict[str, int]) -> int:
        place, step = standing.place, standing.step
        of_place = {"of_flow": standing.flow, "of_position": place.position}
        rows = tx.execute(_PAGE, asked | of_place | {"of_ending": place.ending}).all()
        now = self._engine.ambient.now_ms()
        for order in [Order(*row) for row in rows]:
            turn = Turn(order.group_key, order.sequence)
            of, queue = order.traceparent, service_of(step)
            outbox.put(
                tx, OwedToken(order.id, order.version, queue, step, turn, now, traceparent=of)
            )
            tx.later(_EXPECT, {"b_id": order.id, "b_version": order.version, "b_expected_at": now})
            timeline.note(tx, order.id, order.version, now, TimelineEvent.RESENT, step=step)
        return len(rows)
