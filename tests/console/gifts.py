"""A flow with a step that refuses data: labels are printed for places that a carrier goes to."""

from __future__ import annotations

from typing import Any

from tests.api.serving import order_of

from conveyor.extension import (
    Done,
    Extension,
    Flow,
    LocalStep,
    Now,
    Order,
    Outcome,
    Service,
    Step,
    Tx,
)

NOWHERE = "Nowhere-in-particular"


def print_label(_tx: Tx, order: Order, _now: Now) -> Outcome:
    """Fail where nobody goes."""
    city = order.body.get("shipping", {}).get("city", "")
    if city == NOWHERE:
        raise ValueError(f"no carrier goes to {city}")
    return Done()


GIFTS = Flow(
    "gifts",
    1,
    (
        Step("payments.authorize", undo="payments.void"),
        Step("labels.print"),
        Step("payments.capture", undo="payments.refund"),
        Step("orders.complete"),
    ),
    cancel_until="orders.complete",
)
EXTENSION = Extension(
    "gifts",
    flows=(GIFTS,),
    services=(Service("labels", {"labels.print": LocalStep(print_label)}),),
)


def gift(**changes: Any) -> dict[str, Any]:
    """Give an order to a place that nobody goes to."""
    shipping = {"name": "A. Canary", "city": NOWHERE, "country": "US"}
    return order_of(**{"flow": "gifts", "shipping": shipping, **changes})
