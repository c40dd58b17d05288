"""Orders as the API shows them."""

from __future__ import annotations

from typing import Any

from conveyor.entrypoints.http.schemas import OrderDetail, OrderView, when
from conveyor.messaging.message import iso
from conveyor.messaging.order import TERMINAL, Order
from conveyor.messaging.registry import Registry
from conveyor.messaging.routing_slip import Place, owed


def order_view(order: Order, registry: Registry) -> OrderView:
    """Show what a list of orders needs."""
    return OrderView(**_facts(order, registry))


def order_detail(order: Order, registry: Registry) -> OrderDetail:
    """Show everything; what was placed is shown as it was, whatever the rules are today."""
    body = order.body
    return OrderDetail.model_construct(
        **_facts(order, registry),
        customer=body["customer"],
        items=body["items"],
        payment=body["payment"],
        shipping=body.get("shipping", {}),
        metadata=body.get("metadata", {}),
    )


def _facts(order: Order, registry: Registry) -> dict[str, Any]:
    name, _, version = order.flow.partition("@")
    flow = registry.flows.get(order.flow)
    moving = flow is not None and order.status not in TERMINAL
    return {
        "id": order.id,
        "status": order.status,
        "flow": name,
        "flow_version": int(version),
        "reference": order.reference,
        "customer_id": order.customer,
        "currency": order.currency,
        "total": order.total,
        "step": owed(flow, Place(order.position, order.ending)) if flow and moving else None,
        "reason": order.reason,
        "cancelling": order.cancelling,
        "version": order.version,
        "placed_at": iso(order.placed_at),
        "updated_at": iso(order.updated_at),
        "settled_at": when(order.settled_at),
    }
