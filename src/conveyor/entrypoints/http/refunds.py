"""Giving the money of a completed order back."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, Field

from conveyor.entrypoints.http.bodies import body_is, body_of
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Acting, Operator, TheApi
from conveyor.entrypoints.http.dead_letter_schemas import ReasonBody
from conveyor.entrypoints.http.described import BODY, changing
from conveyor.entrypoints.http.orders import AnyId, order_or_404
from conveyor.entrypoints.http.problems import ProblemError, not_found
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import Amount, OrderId, Status
from conveyor.operations.refunds import NotRefunded, Refunded, refund

router = ApiRouter("/v1/orders", tags=["orders"])
Reason = Annotated[ReasonBody, Depends(body_of(ReasonBody))]


class RefundAnswer(BaseModel):
    """All of the order's money goes back, and nothing else of it is undone."""

    id: OrderId
    status: Status = Field(
        description="Where the order is now: `refunded` as soon as its money is given back, "
        "`parked` where that waits for an operator.",
        examples=["compensating"],
    )
    returned: Amount = Field(description="What goes back in all, in minor units.")
    currency: str
    steps: list[str] = Field(
        description="The compensations that are still to run.", examples=[["payments.refund"]]
    )


@router.post(
    "/{order_id}/refund",
    status_code=202,
    responses=changing(
        *BODY, Code.NOT_FOUND, Code.NOT_COMPLETED, Code.NOT_REFUNDABLE, Code.FLOW_MISSING
    ),
    openapi_extra=body_is(ReasonBody, {"reason": "arrived broken"}),
)
async def refund_order(
    order_id: AnyId, api: TheApi, grant: Operator, by: Acting, body: Reason
) -> RefundAnswer:
    """Give all the money of a completed order back, and leave everything else of it as it is.

    What was delivered, sold or booked stays so. Asking again gives the same answer, and does
    nothing. One that is still on its way is cancelled instead.
    """
    wanted = order_or_404(order_id)
    match await refund(api.app.engine, wanted, grant.sees, body.reason, by=by):
        case None:
            raise not_found("order")
        case NotRefunded() as refused:
            raise why_refused(refused)
        case Refunded() as it:
            return RefundAnswer(
                id=wanted,
                status=it.status,
                returned=it.returned,
                currency=it.currency,
                steps=list(it.steps),
            )


def why_refused(refused: NotRefunded) -> ProblemError:
    """Say why nothing was done."""
    return ProblemError(Code(refused.what.value), f"It cannot be refunded. {refused.why}")
