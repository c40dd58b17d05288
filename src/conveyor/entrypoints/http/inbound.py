"""Orders for the intake queue, from producers that cannot reach it."""

from __future__ import annotations

import orjson
from fastapi import Request

from conveyor.commerce.orders.intake import plain_total
from conveyor.commerce.orders.intake_consumer import (
    INTAKE,
    KEY_ATTRIBUTE,
    MESSAGE_KEY_PREFIX,
)
from conveyor.commerce.orders.money import in_words
from conveyor.commerce.orders.raw_json import flaw_of
from conveyor.core.errors import QueueUnavailableError
from conveyor.core.queue import Outgoing
from conveyor.core.queue_limits import refusal
from conveyor.entrypoints.http.bodies import any_json, read_body
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Placer, TheApi
from conveyor.entrypoints.http.described import changing
from conveyor.entrypoints.http.placing import KEY_PARAMETER, idempotency_key
from conveyor.entrypoints.http.problems import ProblemError, invalid
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import Queued

router = ApiRouter()

_PLAIN = {"orderId": "ORD123", "userId": "U456", "items": ["Item1", "Item2"], "total": 100}


@router.post(
    "/v1/intake",
    tags=["orders"],
    status_code=202,
    responses=changing(Code.TOO_LARGE),
    response_model_exclude_none=True,
    openapi_extra=any_json(_PLAIN) | {"parameters": [KEY_PARAMETER]},
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
