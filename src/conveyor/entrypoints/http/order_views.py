"""Orders as the API shows them."""

from __future__ import annotations

from typing import Any

from conveyor.commerce.orders.model import Customer, Item, Payment, Shipping
from conveyor.core.archived import Archived
from conveyor.core.order import Order
from conveyor.core.order_status import TERMINAL
from conveyor.core.place import place_of
from conveyor.core.registry import Registry
from conveyor.core.rfc3339 import iso
from conveyor.core.routing_slip import step_at
from conveyor.entrypoints.http.archive_views import archived_view
from conveyor.entrypoints.http.schemas import CancelAnswer, OrderDetail, OrderView, when
from conveyor.operations.decisions import Cancelled


def order_view(order: Order, registry: Registry) -> OrderView:
    """Show what a list of orders needs."""
    return OrderView(**_facts(order, registry))


def order_detail(order: Order, registry: Registry, archived: Archived | None = None) -> OrderDetail:
    """Show everything; `archived` says where it is, if it is in the archive."""
    body, facts = order.body, _facts(order, registry)
    others = {k: v for k, v in body.items() if k not in OrderDetail.model_fields}
    return OrderDetail(
        **facts,
        **others,
        # Not checked again: what was taken once is shown, though it would not be taken today.
        customer=Customer.model_construct(**body["customer"]),
        items=[Item.model_construct(**item) for item in body["items"]],
        payment=Payment.model_construct(**body["payment"]),
        shipping=Shipping.model_construct(**body.get("shipping", {})),
        metadata=body.get("metadata", {}),
        archived=archived_view(archived),
    )


def cancel_answer(cancelled: Cancelled) -> CancelAnswer:
    """Say what a cancellation comes to; sums only where a part is kept."""
    fee, returned, currency = cancelled.fee, cancelled.returned, cancelled.currency
    sums = {"kept": fee, "returned": returned, "currency": currency} if fee else {}
    return CancelAnswer(
        outcome=cancelled.outcome, status=cancelled.status, steps=list(cancelled.steps), **sums
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
        "merchant": order.merchant,
        "reference": order.reference,
        "customer_id": order.customer,
        "currency": order.currency,
        "total": order.total,
        "step": step_at(flow, place_of(order)) if flow and moving else None,
        "reason": order.reason,
        "cancelling": order.cancelling,
        "version": order.version,
        "placed_at": iso(order.placed_at),
        "updated_at": iso(order.updated_at),
        "settled_at": when(order.settled_at),
    }
