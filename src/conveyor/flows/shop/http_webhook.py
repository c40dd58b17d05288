"""The carrier's webhook: its confirmations, verified by their signature."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from conveyor.entrypoints.http.bodies import any_json, read_body
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import TheApi
from conveyor.entrypoints.http.described import problems
from conveyor.entrypoints.http.problems import ProblemError, invalid
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import A_TIME, AN_ORDER
from conveyor.flows.shop.carrier import confirmations_of
from conveyor.flows.shop.schemas import Confirmed
from conveyor.flows.shop.shipping.messages import ConfirmationError
from conveyor.flows.shop.shipping.webhooks import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    WebhookRejectedError,
)

router = ApiRouter(tags=["webhooks"])

_CONFIRMATION = {
    "type": "shipment.delivered",
    "timestamp": A_TIME,
    "data": {"order": AN_ORDER, "tracking": "SIM123"},
}


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}


@router.post(
    "/v1/webhooks/carrier",
    responses=problems(
        Code.WEBHOOK_REJECTED,
        Code.TOO_LARGE,
        Code.INVALID,
        Code.OVERLOADED,
        Code.UNAVAILABLE,
        Code.UNKNOWN_OUTCOME,
    ),
    openapi_extra={
        **any_json(_CONFIRMATION),
        "parameters": [_header(n) for n in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)],
    },
)
async def confirm_delivery(request: Request, api: TheApi) -> Confirmed:
    """Take a carrier's confirmation, signed by Standard Webhooks; a duplicate is harmless."""
    body = await read_body(request)
    try:
        outcome = await confirmations_of(api.app.running).receive(request.headers, body)
    except WebhookRejectedError as error:
        raise ProblemError(Code.WEBHOOK_REJECTED, str(error)) from None
    except ConfirmationError as error:
        raise invalid(error.field, error.cause) from None
    return Confirmed.model_validate({"outcome": outcome})
