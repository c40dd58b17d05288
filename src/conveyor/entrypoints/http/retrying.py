"""Letting a waiting order have its next try now."""

from __future__ import annotations

from pydantic import BaseModel, Field

from conveyor.core.order_status import OrderStatus
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Acting, Operator, TheApi
from conveyor.entrypoints.http.dead_letters import problem_of
from conveyor.entrypoints.http.described import changing
from conveyor.entrypoints.http.orders import AnyId, order_or_404
from conveyor.entrypoints.http.problems import not_found
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import OrderId, Status
from conveyor.operations import decisions

router = ApiRouter("/v1/orders", tags=["orders"])


class Retried(BaseModel):
    """Its step is due now."""

    id: OrderId
    status: Status = Field(examples=[OrderStatus.PROCESSING])


@router.post(
    "/{order_id}/retry",
    status_code=202,
    responses=changing(Code.NOT_FOUND, Code.NOT_WAITING, Code.FLOW_MISSING),
)
async def retry_order(order_id: AnyId, api: TheApi, grant: Operator, by: Acting) -> Retried:
    """Let an order that waits for its next try have it now, and not only once its time has come.

    That calls nobody by itself: the step is due, and whoever takes it decides as ever. One that is
    parked is redriven instead; one that awaits an answer keeps its deadline.
    """
    wanted = order_or_404(order_id)
    decided = await decisions.retry(api.app.engine, wanted, grant.sees, by=by)
    if decided is None:
        raise not_found("order")
    if problem := problem_of(decided):
        raise problem
    return Retried(id=wanted, status=decided.status or OrderStatus.PROCESSING)
