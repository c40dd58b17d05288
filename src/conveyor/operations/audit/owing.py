"""What a live order is owed: the token of its step, at a time that something can have set.

Tokens and open calls are few, whatever the number of orders: only live and parked ones have any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
import sqlalchemy as sa

from conveyor.checks.columns import on_page
from conveyor.checks.finding import Finding
from conveyor.checks.pages import Page
from conveyor.core.ambient import CLOCK_SLACK_MS
from conveyor.core.call_state import OPEN
from conveyor.core.order import Order
from conveyor.core.order_status import TERMINAL, OrderStatus
from conveyor.core.place import due_step
from conveyor.core.routing_slip import Flow, service_of
from conveyor.core.statements import one_of
from conveyor.core.tables import calls, orders, outbox, parked
from conveyor.core.tables import timeline as entries
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx

MOST_REST_MS = 86_400_000
"""Longer than whatever lets an order rest that awaits nobody: back-off, a turn, a retry."""
MOST_CALL_MS = 86_400_000
"""A call that is still open after a day is nobody's any more, unless its order is parked."""

_LIVE = (
    sa.select(orders)
    .where(on_page(orders.c.id), orders.c.settled_at.is_(None))
    .order_by(orders.c.id)
)
_OWED = sa.select(outbox).where(on_page(outbox.c.order_id))
_PARKED = sa.select(parked.c.order_id, parked.c.step).where(on_page(parked.c.order_id))
_OPEN = sa.select(calls.c.order_id, calls.c.step, calls.c.intended_at).where(
    on_page(calls.c.order_id), calls.c.state.in_(sorted(OPEN))
)
_AWAITED = (
    sa.select(entries.c.order_id, entries.c.at, entries.c.detail)
    .where(
        one_of(entries.c.order_id, "ids", bounded=True), entries.c.event == TimelineEvent.AWAITING
    )
    .order_by(entries.c.id)
)


class Owing:
    """Goes through the tokens and open calls of a page."""

    def __init__(self, flows: Mapping[str, Flow]) -> None:
        """`flows` say which step an order is owed."""
        self._flows = flows
        self._step = Finding(
            "token_of_its_step", 6, "A token in the outbox is of the step that its order is owed"
        )
        self._reach = Finding(
            "nothing_out_of_reach", 6, "Nothing is due or expected later than its step can set"
        )
        self._call = Finding(
            "call_of_its_step", 9, "An open call is of the step that its order is owed, and not old"
        )
        self._parked = Finding(
            "parked_at_its_step", 1, "A parked order stands at the step that it is owed"
        )
        self.findings = (self._step, self._reach, self._call, self._parked)

    def take(self, tx: Tx, page: Page, now: int) -> None:
        """Judge what the orders of one page are owed."""
        live = {row[0]: Order(*row) for row in tx.execute(_LIVE, page.bounds).all()}
        due: dict[str, int] = {}
        for row in tx.execute(_OWED, page.bounds).all():
            due[row.order_id] = row.due_at
            if order := live.get(row.order_id):
                step = due_step(self._flows, order)
                fits = not step or (row.step, row.queue) == (step, service_of(step))
                self._step.add(1, 0 if fits else 1, () if fits else (order.id,))
        for order_id, parked_at in tx.execute(_PARKED, page.bounds).all():
            if order := live.get(order_id):
                fits = due_step(self._flows, order) in {"", parked_at}
                self._parked.add(1, 0 if fits else 1, () if fits else (order_id,))
        self._reaches(tx, [o for o in live.values() if o.status not in TERMINAL], due, now)
        for order_id, step, since in tx.execute(_OPEN, page.bounds).all():
            if order := live.get(order_id):
                fits = self._may_be_open(order, step, since, now)
                self._call.add(1, 0 if fits else 1, () if fits else (order_id,))

    def _reaches(self, tx: Tx, live: Sequence[Order], due: Mapping[str, int], now: int) -> None:
        ahead = [
            order
            for order in live
            if order.status != OrderStatus.PARKED
            and max(order.expected_at, due.get(order.id, 0)) > now + CLOCK_SLACK_MS
        ]
        awaited = _awaited(tx, [order.id for order in ahead])
        lost = [
            order.id
            for order in ahead
            if max(order.expected_at, due.get(order.id, 0)) > _limit(order, awaited, now)
        ]
        self._reach.add(len(live), len(lost), lost)

    def _may_be_open(self, order: Order, step: str, since: int, now: int) -> bool:
        owed = due_step(self._flows, order)
        if owed and (step != owed or order.status == OrderStatus.AWAITING):
            return False
        return order.status == OrderStatus.PARKED or since > now - MOST_CALL_MS


def _awaited(tx: Tx, order_ids: Sequence[str]) -> dict[str, int]:
    """Give until when each of these orders awaits an answer, as its story says."""
    until: dict[str, int] = {}
    if order_ids:
        for order_id, at, detail in tx.execute(_AWAITED, {"ids": list(order_ids)}).all():
            seconds = orjson.loads(detail).get("seconds", 0) if detail else 0
            until[order_id] = at + round(seconds * 1000)
    return until


def _limit(order: Order, awaited: Mapping[str, int], now: int) -> int:
    if order.status == OrderStatus.AWAITING:
        return awaited.get(order.id, 0) + CLOCK_SLACK_MS
    return now + MOST_REST_MS
