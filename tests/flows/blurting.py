"""A flow whose step blurts out what is in the order's body, whenever it is taken."""

from __future__ import annotations

import json

from conveyor.extension import (
    Extension,
    Flow,
    LocalStep,
    Now,
    Order,
    Outcome,
    Refused,
    Service,
    Step,
    Tx,
)

NOTHING: dict[str, Outcome] = {}


class BlurtedError(Exception):
    """Says more than it should."""


def blurt(tx: Tx, order: Order, now: Now) -> Outcome:  # noqa: ARG001 - a step's own
    """Raise with all that it knows; of an order that is for nothing, refuse with that."""
    shipping = order.body.get("shipping", {})
    if not order.total:
        return Refused(f"nothing can be brought to {shipping.get('name')}")
    try:
        return NOTHING[order.raw_body]
    except KeyError as error:
        raise BlurtedError(f"{shipping} and {json.dumps(order.body)}") from error


BLURT = Flow("blurt", 1, (Step("blurt.out"), Step("orders.complete")), cancel_until="blurt.out")
EXTENSION = Extension(
    "blurt", flows=(BLURT,), services=(Service("blurt", {"blurt.out": LocalStep(blurt)}),)
)
