"""START HERE: the flow, and all that the package gives to Conveyor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conveyor.extension import Extension, Flow, Service, Step
from refund_request.model import RefundBody
from refund_request.steps import STEPS
from refund_request.store import metadata

REFUND = Flow(
    name="refund",
    version=1,
    steps=(
        Step("refunds.check", undo="refunds.release"),
        # Waits for a person: two weeks at most.
        Step("refunds.decide"),
        Step("refunds.credit"),
        Step("orders.complete"),
    ),
    cancel_until="refunds.credit",
)


def lives() -> Mapping[str, Any]:
    """Give what the simulator lets its orders go through."""
    from refund_request.lives import LIVES

    return LIVES


EXTENSION = Extension(
    name="refunds",
    flows=(REFUND,),
    services=(Service("refunds", STEPS),),
    bodies={"refund": RefundBody},
    tables=metadata,
    lives={"refund": lives},
)
