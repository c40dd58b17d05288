"""What would become of orders, were all that match cancelled, refunded or redriven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from conveyor.entrypoints.http.context import Reader, TheApi
from conveyor.entrypoints.http.described import looking
from conveyor.entrypoints.http.order_query import PAGE, AskedFor, Limit
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import OrderId, Status
from conveyor.operations import previews
from conveyor.operations.previews import Action, Judged, Would

if TYPE_CHECKING:
    AnAction = Action
    AWould = Would
else:  # see `schemas.Status`
    AnAction = Literal[*Action]
    AWould = Literal[*Would]

router = ApiRouter("/v1/orders", tags=["orders"], responses=looking())


class OrderOutlook(BaseModel):
    """An order, and what would come of it."""

    id: OrderId
    status: Status
    flow: str
    reference: str
    would: AWould = Field(
        description="`accepted`: it would be done. Else as the problem that would be answered; "
        "`already`: it has been done before."
    )
    does: str = Field(
        description="What that sets going, for people; else empty.",
        examples=["runs inventory.release, payments.void"],
    )


class Previewed(BaseModel):
    """A page of them, newest first; `next` is the cursor of the next."""

    orders: list[OrderOutlook]
    next: OrderId | None


@router.get("/preview")
async def preview_orders(
    api: TheApi,
    grant: Reader,
    wanted: AskedFor,
    *,
    action: AnAction = Action.CANCEL,
    limit: Limit = PAGE,
    cursor: OrderId | None = None,
) -> Previewed:
    """Say of each order that matches what an action would do to it now. Does nothing."""
    judged, following = await previews.preview(
        api.app.engine, Action(action), wanted, grant.sees, limit=limit, cursor=cursor
    )
    return Previewed(orders=[_outlook(it) for it in judged], next=following)


def _outlook(judged: Judged) -> OrderOutlook:
    order = judged.order
    return OrderOutlook(
        id=order.id,
        status=order.status,
        flow=order.flow.partition("@")[0],
        reference=order.reference,
        would=judged.would,
        does=judged.does,
    )
