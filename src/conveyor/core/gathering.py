"""What a group's steps lock and read for all of it at once: each kind once, and in one order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from conveyor.core.delivery import Delivery
from conveyor.core.group_context import GroupContext
from conveyor.core.order import Order
from conveyor.core.place import also_at, due_step
from conveyor.core.step import Gather
from conveyor.core.transaction import Tx


def gather(tx: Tx, context: GroupContext, group: Sequence[tuple[Order, str]]) -> None:
    """Let the steps of a group, and their `also` steps, lock and read once for all of it."""
    members: dict[Gather, list[Order]] = defaultdict(list)
    for order, due in group:
        for name in (due, *also_at(context.registry.flows, order)):
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
            [(delivery.order, due_step(delivery.context.registry.flows, delivery.order))],
        )
