"""The filter of orders as parameters of a request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from pydantic import StringConstraints

from conveyor.commerce.orders.model import PRINTABLE, SingleLine, Word
from conveyor.commerce.orders.order_filter import OrderFilter
from conveyor.core.message import MAX_STEP_LENGTH
from conveyor.entrypoints.http.schemas import A_TIME, AN_ORDER, Instant, OrderId, Status, ms_of

MAX_PAGE = 200
PAGE = 50
MAX_REASON_LENGTH = 2_000


Moment = Annotated[Instant, Query(examples=[A_TIME])]
StepOf = Annotated[str, StringConstraints(max_length=MAX_STEP_LENGTH, pattern=PRINTABLE)]
Reason = Annotated[str, StringConstraints(max_length=MAX_REASON_LENGTH, pattern=PRINTABLE)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


def asked_for(  # noqa: PLR0913 - FastAPI takes a model only where there is nothing beside it
    *,
    order_id: Annotated[OrderId | None, Query(alias="id", examples=[AN_ORDER])] = None,
    reference: Annotated[SingleLine | None, Query(description="Exactly this.")] = None,
    customer: Annotated[Word | None, Query(description="The customer's id.")] = None,
    email: Annotated[
        SingleLine | None, Query(description="The customer's, in small letters or large.")
    ] = None,
    sku: Annotated[Word | None, Query(description="One of its items has it.")] = None,
    status: Status | None = None,
    flow: Annotated[Word | None, Query(description="In every version.")] = None,
    step: Annotated[
        StepOf | None,
        Query(
            description="What it is owed or awaits now, or stands parked at.",
            examples=["payments.capture"],
        ),
    ] = None,
    reason: Annotated[
        Reason | None, Query(description="Why it was refused, cancelled, refunded or turned back.")
    ] = None,
    merchant: Annotated[
        Word | None, Query(description="For keys that see more than one merchant's.")
    ] = None,
    placed_after: Moment | None = None,
    placed_before: Moment | None = None,
    settled_after: Moment | None = None,
    settled_before: Moment | None = None,
) -> OrderFilter:
    """Read it. `..._after` is the first moment that counts, `..._before` the first that does not.

    What is parked has not settled.
    """
    return OrderFilter(
        id=order_id,
        reference=reference,
        customer=customer,
        email=email,
        sku=sku,
        status=status,
        flow=flow,
        step=step,
        reason=reason,
        merchant=merchant,
        placed_after=ms_of(placed_after),
        placed_before=ms_of(placed_before),
        settled_after=ms_of(settled_after),
        settled_before=ms_of(settled_before),
    )


AskedFor = Annotated[OrderFilter, Depends(asked_for)]
