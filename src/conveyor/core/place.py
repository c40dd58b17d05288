"""Where an order is on its slip, and what it is owed there."""

from __future__ import annotations

from conveyor.core.order import Order
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Place, step_at


def place_of(order: Order) -> Place:
    """Where the order is on its slip."""
    return Place(order.position, order.ending, order.stage, order.begun)


def due_step(registry: Registry, order: Order) -> str:
    """Name the step that the order is owed; '' when its flow is not installed here."""
    flow = registry.flows.get(order.flow)
    return step_at(flow, Place(order.position, order.ending)) if flow else ""
