"""What comes in from others: a carrier's confirmations, and orders for the intake queue."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request

from conveyor.entrypoints.http.bodies import read_body
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Placer, TheApi
from conveyor.entrypoints.http.described import changing, problems
from conveyor.entrypoints.http.placing import KEY_PARAMETER, idempotency_key
from conveyor.entrypoints.http.problems import ProblemError, invalid
from conveyor.entrypoints.http.schemas import A_TIME, AN_ORDER, Confirmed, Queued
from conveyor.messaging.errors import QueueUnavailableError
from conveyor.messaging.queue import Outgoing
from conveyor.messaging.queue_limits import refusal
from conveyor.services.orders.intake import plain_total
from conveyor.services.orders.intake_consumer import (
    INTAKE,
    KEY_ATTRIBUTE,
    MESSAGE_KEY_PREFIX,
)
from conveyor.services.orders.money import in_words
from conveyor.services.orders.raw_json import flaw_of
from conveyor.services.shipping.messages import ConfirmationError
from conveyor.services.shipping.webhooks import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    WebhookRejectedError,
)

router = APIRouter()

_CONFIRMATION = {
    "type": "shipment.delivered",
    "timestamp": A_TIME,
    "data": {"order": AN_ORDER, "tracking": "SIM123"},
}
_PLAIN = {"orderId": "ORD123", "userId": "U456", "items": ["Item1", "Item2"], "total": 100}


def _any_json(example: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Describe a body that is looked at only after the answer, or after its signature."""
    content = {"application/json": {"schema": {}, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}


@router.post(
    "/v1/webhooks/carrier",
    tags=["webhooks"],
    responses=problems(
        Code.WEBHOOK_REJECTED,
        Code.TOO_LARGE,
        Code.INVALID,
        Code.OVERLOADED,
        Code.UNAVAILABLE,
        Code.UNKNOWN_OUTCOME,
    ),
    openapi_extra={
        **_any_json(_CONFIRMATION),
        "parameters": [_header(n) for n in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)],
    },
)
async def confirm_delivery(request: Request, api: TheApi) -> Confirmed:
    """Take a carrier's confirmation, signed by Standard Webhooks; a duplicate is harmless."""
    body = await read_body(request)
    try:
        outcome = await api.app.confirmations.receive(request.headers, body)
    except WebhookRejectedError as error:
        raise ProblemError(Code.WEBHOOK_REJECTED, str(error)) from None
    except ConfirmationError as error:
        raise invalid(error.field, error.cause) from None
    return Confirmed.model_validate({"outcome": outcome})


@router.post(
    "/v1/intake",
    tags=["orders"],
    status_code=202,
    responses=changing(Code.TOO_LARGE),
    response_model_exclude_none=True,
    openapi_extra=_any_json(_PLAIN) | {"parameters": [KEY_PARAMETER]},
)
async def send_to_intake(request: Request, api: TheApi, grant: Placer) -> Queued:
    """Put a message on the intake queue, as it is, for producers that cannot reach the queue.

    It is an order as `POST /v1/orders` takes it, or the plain form. **The plain form's `total` is
    in major units** of the default currency: 100 is USD 100.00 there, and USD 1.00 in our own body.

    It is durable when this answers. What is sent again with the same key is one order; the plain
    form's `orderId` and the body's `idempotencyKey` count before the header. A bad order goes to
    the queue's dead letters, with the reason; one that would be read as free is refused.
    """
    merchant = api.app.settings.intake_merchant
    if grant.merchant != merchant:
        detail = f"What comes in through the intake queue are orders of {merchant!r} alone."
        raise ProblemError(Code.FORBIDDEN, detail)
    queue = api.app.engine.queues.queue(INTAKE)
    new_id = api.app.engine.ambient.new_id()
    key = idempotency_key(request) or MESSAGE_KEY_PREFIX + new_id
    text = _text(await read_body(request))
    message = Outgoing(
        text,
        group=INTAKE,
        deduplication_id=new_id,
        attributes=((KEY_ATTRIBUTE, key),),
    )
    if reason := refusal(queue.spec, message) or flaw_of(text):
        raise invalid("body", reason)
    if await queue.send([message]):
        raise QueueUnavailableError(INTAKE, "it did not take the message")
    return Queued(queue=INTAKE, amount=_amount(text, api.app.settings.default_currency))


def _amount(text: str, currency: str) -> str | None:
    try:
        total = plain_total(orjson.loads(text), currency)
    except orjson.JSONDecodeError:
        return None
    return None if total is None else in_words(total, currency)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise invalid("body", f"is not UTF-8: {error.reason} at byte {error.start}") from None
