"""What the queues cost while nothing comes, and what an order costs, as it is now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa

from conveyor.core.ambient import first_id_at
from conveyor.core.placed_counts import compare
from conveyor.core.routing_slip import flow_name
from conveyor.core.tables import orders, request_counts
from conveyor.core.transaction import Tx
from conveyor.operations.cost import estimate, measured
from conveyor.operations.doctor.findings import Finding, fine, warning
from conveyor.settings import EMBEDDED, Settings
from conveyor.system.installation import Installation

CHECK = "cost"
DAY_MS = 86_400_000
ENOUGH_ORDERS = 1_000
MOST_REQUESTS = 100.0
"""An order, of all that SQS was ever asked: far above what any flow needs, so these are polls."""

_TODAY = (
    sa.select(orders.c.flow, sa.func.count())
    .where(orders.c.id >= sa.bindparam("since"))
    .group_by(orders.c.flow)
)
_REQUESTS = sa.select(sa.func.coalesce(sa.func.sum(request_counts.c.requests), 0))


def costs(
    tx: Tx, installed: Installation | None, settings: Settings, now_ms: int
) -> Iterator[Finding]:
    """Estimate it by list prices, and see whether most of it is for nothing."""
    if settings.queue_url.startswith(EMBEDDED):
        yield fine(CHECK, "queues", "embedded: nothing is paid by the request")
        return
    if installed is not None:
        yield from _estimated(tx, installed, now_ms)
    placed, _ = compare(tx)
    requests = int(tx.execute(_REQUESTS).scalar_one())
    each = requests / placed if placed else 0.0
    if placed >= ENOUGH_ORDERS and each > MOST_REQUESTS:
        says = f"{each:,.0f} requests to SQS an order, so far: nearly all are polls of idle queues"
        todo = "run fewer processes, each with all services (`conveyor work all`), or functions"
        yield warning(CHECK, "requests", says, todo)
    elif placed:
        yield fine(CHECK, "requests", f"{each:,.1f} to SQS an order, so far")


def _estimated(tx: Tx, installed: Installation, now_ms: int) -> Iterator[Finding]:
    today: Counter[str] = Counter()
    for flow, many in tx.execute(_TODAY, {"since": first_id_at(now_ms - DAY_MS)}):
        today[flow_name(flow)] += int(many)
    known = measured().flows
    for flow in installed.flows:
        if flow.name not in known or not (today[flow.name] or flow == installed.flows[0]):
            continue
        idle = estimate(flow, installed.queues, 0).ways
        now = estimate(flow, installed.queues, today[flow.name])
        ways = {"functions", "workers"}
        said = [f"{way.name} ${way.total:,.2f}" for way in idle if way.name in ways]
        says = f"idle, a month: {', '.join(said)}"
        if today[flow.name]:
            each = [
                f"{way.name} ${way.total / now.orders_a_month:,.4f}"
                for way in now.ways
                if way.name in ways
            ]
            says += f"; an order, at the last day's {today[flow.name]:,}: {', '.join(each)}"
        yield fine(CHECK, flow.name, f"{says} (`conveyor cost` tells what for)")
