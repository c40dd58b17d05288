"""What a merchant's customer may ask of them: to be forgotten."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, Field

from conveyor.commerce.orders.model import Word
from conveyor.entrypoints.http.bodies import body_is, body_of
from conveyor.entrypoints.http.context import Acting, Operator, TheApi
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import Body
from conveyor.operations.erasure import erase_customer

router = ApiRouter("/v1/customers", tags=["customers"], responses=looking())


class EraseBody(Body):
    """Who is to be forgotten, by the `customer.id` of their orders."""

    customer: Word


class KeptView(BaseModel):
    """What was not erased yet."""

    what: str = Field(examples=["order 01KDVXQG0053EJ2M8Q4N7T6WAB"])
    why: str = Field(examples=["is still under way"])


class ErasureView(BaseModel):
    """What became of it. Ask again once nothing is `kept` for its reason any more."""

    customer: str
    erased: int = Field(description="Orders out of which it was taken now.")
    erased_before: int
    kept: list[KeptView]


@router.post(
    "/erase",
    responses=changing(*BODY),
    openapi_extra=body_is(EraseBody, {"customer": "00001"}),
)
async def erase_personal_data(
    api: TheApi,
    grant: Operator,
    by: Acting,
    body: Annotated[EraseBody, Depends(body_of(EraseBody))],
) -> ErasureView:
    """Take what is personal of a customer out of all their orders, and keep the books.

    E-mail, address, method of payment, metadata and what else a flow marks are gone for good. What
    is under way keeps them until it is at its end, and is named.
    """
    done = await erase_customer(api.app, grant.merchant, body.customer, by=by)
    return ErasureView(
        customer=done.customer,
        erased=done.erased,
        erased_before=done.before,
        kept=[KeptView(what=it.what, why=it.why) for it in done.kept],
    )
