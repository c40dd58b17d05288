"""Steps that are taken elsewhere: by a process that is not ours, from the service's own queue.

It is handed the token as any worker is, and gives its result back as an answer that names the
token's version. Nobody here receives the token, so none here counts its tries: what brings an order
to an end that nobody answers for is that the step has a time, kept by the reconciler.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.applying_outcomes import apply_outcome
from conveyor.core.delivery import Delivery
from conveyor.core.group_context import GroupContext
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.outcome import Outcome, Park
from conveyor.core.place import due_step
from conveyor.core.registry import Registry
from conveyor.core.step import StepHandler
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx

PAGE_ROWS = 200

_OVERDUE = (
    sa.select(orders)
    .where(
        orders.c.settled_at.is_(None),
        orders.c.status.in_([OrderStatus.PROCESSING, OrderStatus.COMPENSATING]),
        orders.c.updated_at < sa.bindparam("before"),
        orders.c.flow == sa.bindparam("of_flow"),
        orders.c.position == sa.bindparam("of_position"),
        (orders.c.ending != sa.literal("")) == sa.bindparam("backwards"),
    )
    .order_by(orders.c.id)
    .limit(PAGE_ROWS)
    .with_for_update(skip_locked=True)
)


class TakenElsewhere(StepHandler):
    """A step that a process of somebody else's takes, and answers within `seconds`."""

    seconds: float

    def awaits(self, order: Order) -> bool:
        """Whether its token is out; the version says whether that is the one that is answered."""
        return order.status in {OrderStatus.PROCESSING, OrderStatus.COMPENSATING}

    def has_begun(self, tx: Tx, order: Order) -> bool:  # noqa: ARG002 - nobody here knows
        """Say that it has: its token is out, and what became of it is not known here."""
        return True


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where orders of a flow, on their way forward or back, are with somebody else."""

    flow: str
    position: int
    backwards: bool
    step: TakenElsewhere


def stretches(registry: Registry) -> Iterator[Stretch]:
    """Name where on the slips that is."""
    for key, flow in registry.flows.items():
        for position, line in enumerate(flow.steps):
            for backwards, name in ((False, line.name), (True, line.undo)):
                step = registry.steps.get(name)
                if isinstance(step, TakenElsewhere):
                    yield Stretch(key, position, backwards, step)


def end_overdue(tx: Tx, context: GroupContext, stretch: Stretch) -> None:
    """Let the step decide about orders that nobody answered for in time, a page of them.

    Their version moves on, so that whoever answers after all is turned away.
    """
    flows = context.registry.flows
    asked = {
        "before": context.now.ms - round(stretch.step.seconds * 1000),
        "of_flow": stretch.flow,
        "of_position": stretch.position,
        "backwards": stretch.backwards,
    }
    for order in [Order(*row) for row in tx.execute(_OVERDUE, asked)]:
        outcome = _decide(tx, stretch.step, order, context)
        apply_outcome(Delivery(tx, context, order, due_step(flows, order)), outcome)


def _decide(tx: Tx, step: TakenElsewhere, order: Order, context: GroupContext) -> Outcome:
    try:
        with tx.savepoint():
            return step.overdue(tx, order, context.now)
    except Exception as error:
        if tx.unable(error):
            raise
        # Looked at again it would raise again, and stand in the way of others.
        personal = context.registry.personal
        return Park(personal.cause(order, error), trace=personal.trace(order, error))
