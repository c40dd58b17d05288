"""How long it really takes: calls against visibility, and orders against their queues."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from conveyor.core.call_state import CallState
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.place import due_step
from conveyor.core.routing_slip import service_of
from conveyor.core.tables import calls, orders
from conveyor.core.transaction import Tx
from conveyor.operations.doctor.findings import Finding, fine, warning
from conveyor.settings import Settings
from conveyor.system.installation import Installation

LOOKED_AT = 2_000
"""The newest calls, and the orders that are most behind."""
SELDOM = 0.99
ROOM = 2
"""A message should be hidden for so many times as long as nearly all calls take."""
LAG_MS = 300_000
"""An order that should have moved so long ago is late: rests and deadlines are counted before."""
SECOND_MS = 1_000

# Taken up once and answered: what was looked up later says nothing of how long it took.
_TOOK = (
    sa.select(calls.c.step, calls.c.ended_at - calls.c.intended_at)
    .where(
        calls.c.taken == 1,
        calls.c.ended_at.is_not(None),
        calls.c.state.in_([CallState.ANSWERED, CallState.DECLINED]),
    )
    .order_by(calls.c.order_id.desc())
    .limit(LOOKED_AT)
)
_LATE = (
    sa.select(orders)
    .where(
        orders.c.settled_at.is_(None),
        orders.c.status != OrderStatus.PARKED,
        orders.c.expected_at < sa.bindparam("before"),
    )
    .order_by(orders.c.expected_at)
    .limit(LOOKED_AT)
)


def visibility(tx: Tx, settings: Settings) -> Iterator[Finding]:
    """Hold the time for which a message is hidden against what handling one takes."""
    took: defaultdict[str, list[int]] = defaultdict(list)
    for step, milliseconds in tx.execute(_TOOK):
        took[service_of(step)].append(int(milliseconds))
    hidden = settings.visibility_seconds
    slow = {
        it: seconds for it, many in took.items() if (seconds := _nearly_all(many)) * ROOM > hidden
    }
    for service, seconds in sorted(slow.items()):
        says = (
            f"of its last calls 1 in 100 took {seconds:g} s or more, and a message is hidden for "
            f"{hidden} s: where its worker stands still, another one calls beside it"
        )
        todo = f"set CONVEYOR_VISIBILITY_SECONDS to {math.ceil(seconds * ROOM)} or more, everywhere"
        todo += ", and run `conveyor queues provision`"
        yield warning("visibility", service, says, todo)
    if not slow:
        many = sum(map(len, took.values()))
        most = max(map(_nearly_all, took.values()), default=0.0)
        says = f"{hidden} s; of the last {many:,} calls 99 in 100 took {most:g} s or less"
        yield fine("visibility", "messages", says if many else f"{hidden} s; nobody was called yet")


def lag(tx: Tx, installed: Installation | None, now_ms: int) -> Iterator[Finding]:
    """Name the queues whose orders should have moved long ago."""
    if installed is None:
        return
    flows = {flow.key: flow for flow in installed.flows}
    late: defaultdict[str, list[Order]] = defaultdict(list)
    for order in [Order(*row) for row in tx.execute(_LATE, {"before": now_ms - LAG_MS})]:
        if step := due_step(flows, order):
            late[service_of(step)].append(order)
    for queue, behind in sorted(late.items()):
        minutes = (now_ms - behind[0].expected_at) // (60 * SECOND_MS)
        many = f"{len(behind):,}{' or more' if len(behind) == LOOKED_AT else ''}"
        says = f"orders that should have moved: {many}, the first {minutes:,} min ago"
        todo = f"`conveyor explain {behind[0].id}` says what it waits for; where that is nothing, "
        todo += f"start more workers: `conveyor work {queue}`"
        yield warning("lag", queue, says, todo)
    if not late:
        yield fine("lag", "queues", "every order moved when it should have")


def _nearly_all(milliseconds: Sequence[int]) -> float:
    """Give the seconds that 99 in 100 did not exceed."""
    rank = max(math.ceil(len(milliseconds) * SELDOM), 1)
    return sorted(milliseconds)[rank - 1] / SECOND_MS
