"""Orders whose flow is not installed here: nobody here knows where they go, and so they wait."""

from __future__ import annotations

from collections.abc import Container, Mapping

import sqlalchemy as sa

from conveyor.core.engine import Engine
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx

ADVICE = "Install the package that has it, or name it in CONVEYOR_EXTENSIONS, and start again."

_BY_FLOW = (
    sa.select(orders.c.flow, sa.func.count())
    .where(orders.c.settled_at.is_(None))
    .group_by(orders.c.flow)
    .order_by(orders.c.flow)
)


async def missing_flows(engine: Engine) -> dict[str, int]:
    """Count the orders that are not at their end, parked or not, by such a flow and its version."""
    return await engine.database.examine(lambda tx: missing_among(tx, engine.registry.flows))


def missing_among(tx: Tx, installed: Container[str]) -> dict[str, int]:
    """Count them where these flows are installed."""
    found = tx.execute(_BY_FLOW).all()
    return {flow: int(many) for flow, many in found if flow not in installed}


def in_words(missing: Mapping[str, int]) -> str:
    """Say which they are, and what to do; '' when there are none."""
    if not missing:
        return ""
    each = (f"{many:,} open order{'s' if many > 1 else ''} of {f}" for f, many in missing.items())
    stand = "stand" if sum(missing.values()) > 1 else "stands"
    return f"{', '.join(each)} {stand} still: that flow is not installed here. {ADVICE}"
