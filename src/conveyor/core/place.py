"""Where an order is on its slip, and what it is owed there."""

from __future__ import annotations

from collections.abc import Mapping

from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.routing_slip import Flow, Place, owed_at


def place_of(order: Order) -> Place:
    """Where the order is on its slip."""
    return Place(order.position, order.ending, order.stage, order.begun)


def due_step(flows: Mapping[str, Flow], order: Order) -> str:
    """Name the step that the order is owed; '' when its flow is not installed here."""
    flow = flows.get(order.flow)
    return owed_at(flow, order.position, order.ending) if flow else ""


def also_at(flows: Mapping[str, Flow], order: Order) -> tuple[str, ...]:
    """Name what goes along with the step that the order is owed, when that has its first outcome.

    Of one that awaits they have run already, before what is awaited now.
    """
    flow = flows.get(order.flow)
    if flow is None or order.backwards or order.status == OrderStatus.AWAITING:
        return ()
    return flow.steps[order.position].also if order.position < len(flow.steps) else ()
