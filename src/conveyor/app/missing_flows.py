"""Orders whose flow is not installed here: nobody here knows where they go, and so they wait."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from conveyor.messaging.engine import Engine
from conveyor.messaging.tables import orders
from conveyor.messaging.transaction import Tx

ADVICE = "Install the package that has it, or name it in CONVEYOR_EXTENSIONS, and start again."

_BY_FLOW = (
    sa.select(orders.c.flow, sa.func.count())
    .where(orders.c.settled_at.is_(None))
    .group_by(orders.c.flow)
    .order_by(orders.c.flow)
)


async def missing_flows(engine: Engine) -> dict[str, int]:
    """Count the orders that are not at their end, parked or not, by such a flow and its version."""

    def read(tx: Tx) -> dict[str, int]:
        found = tx.execute(_BY_FLOW).all()
        return {flow: int(many) for flow, many in found if flow not in engine.registry.flows}

    return await engine.database.examine(read)


def in_words(missing: Mapping[str, int]) -> str:
    """Say which they are, and what to do; '' when there are none."""
    if not missing:
        return ""
    each = (f"{many:,} open order{'s' if many > 1 else ''} of {f}" for f, many in missing.items())
    stand = "stand" if sum(missing.values()) > 1 else "stands"
    return f"{', '.join(each)} {stand} still: that flow is not installed here. {ADVICE}"
