"""What a group's steps lock and read for all of it at once: each kind once, and in one order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from conveyor.core.faults import Delivery
from conveyor.core.group_context import GroupContext
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.place import due_step
from conveyor.core.step import Gather
from conveyor.core.transaction import Tx


def gather(tx: Tx, context: GroupContext, group: Sequence[tuple[Order, str]]) -> None:
    """Let the steps of a group, and their `also` steps, lock and read once for all of it."""
    members: dict[Gather, list[Order]] = defaultdict(list)
    for order, due in group:
        for name in (due, *_also(context, order, due)):
            step = context.registry.steps.get(name)
            if step:
                members[step.gathering].append(order)
    for gathering in context.registry.in_lock_order(members):
        gathering(tx, members[gathering])


def gather_all(tx: Tx, context: GroupContext, group: Sequence[tuple[Order, str]]) -> None:
    """Do so for a group; one that is run again does not fail by it."""
    if not context.isolate:
        gather(tx, context, group)
        return
    # For the sake of one order of locks. Each gathers again for itself, where it is seen whose
    # fault it is when that raises.
    try:
        with tx.savepoint():
            gather(tx, context, group)
    except Exception as error:
        if tx.unable(error):
            raise


def gather_alone(delivery: Delivery) -> None:
    """Do so for one order of a group that is run again."""
    if delivery.context.isolate:
        gather(
            delivery.tx,
            delivery.context,
            [(delivery.order, due_step(delivery.context.registry, delivery.order))],
        )


def _also(context: GroupContext, order: Order, due: str) -> tuple[str, ...]:
    flow = context.registry.flows.get(order.flow)
    if flow is None or order.backwards or not due or order.status == OrderStatus.AWAITING:
        return ()  # they ran at the first outcome, before what is awaited now
    return flow.steps[order.position].also
