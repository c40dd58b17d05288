"""POST /v1/orders: the one route that must be lean.

It is an `APIRoute` like the others, so that it is described like them, but FastAPI's machinery
for parameters and bodies, twice the cost of everything else, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from conveyor.access.model import PLACE
from conveyor.commerce.orders import placement
from conveyor.commerce.orders.model import DEFAULT_FLOW, OrderBody
from conveyor.commerce.orders.money import in_words
from conveyor.core.rfc3339 import iso
from conveyor.entrypoints.http.bodies import body_is, read_body, read_order
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import BEARER, Api, authorize, known_query
from conveyor.entrypoints.http.described import BODY, changing
from conveyor.entrypoints.http.problems import FieldError, ProblemError, invalid
from conveyor.entrypoints.http.schemas import KEY_PATTERN, Placed

PATH = "/v1/orders"
IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = {"idempotent-replayed": "true"}
RETRY_SECONDS = 1
JSON = "application/json"

_KEY = re.compile(KEY_PATTERN)
_EXAMPLE = {
    "flow": DEFAULT_FLOW,
    "reference": "cdnow-1",
    "customer": {"id": "00001", "email": "a@example.com"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 2, "unit_price": 1177}],
    "total": 2354,
    "payment": {"method": "card_ok"},
    "shipping": {
        "name": "A. Buyer",
        "line1": "1 Main Street",
        "city": "Springfield",
        "country": "US",
    },
    "metadata": {},
}
KEY_PARAMETER = {
    "name": IDEMPOTENCY_KEY,
    "in": "header",
    "required": False,
    "description": "Sending the same key and body again gives the same answer, and no "
    "second order. Orders without a key are separate however alike they look.",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}
_REFUSALS = (Code.KEY_REUSED, Code.KEY_IN_FLIGHT, Code.OVERLOADED)
_EXTRA = {
    **body_is(OrderBody, _EXAMPLE),
    "security": [{BEARER: [PLACE]}],
    "parameters": [KEY_PARAMETER],
}


class _LeanRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


async def place_order(request: Request) -> Response:
    """Take an order. When this answers 202, the order and what it is owed are on the disk."""
    await known_query(request)
    grant = await authorize(request, PLACE)
    key = idempotency_key(request)
    api: Api = request.app.state.api
    body = read_order(api.app.installed.bodies, await read_body(request))
    answer = await api.app.placement.place(grant.merchant, key, body)
    if not isinstance(answer, placement.Placed):
        raise _refusal(answer)
    location = f"{PATH}/{answer.order_id}"
    content = {
        "id": answer.order_id,
        "placed_at": iso(answer.placed_at),
        "location": location,
        "amount": in_words(body.amount, body.currency),
    }
    headers = {"location": location}
    if answer.again:
        headers |= REPLAYED
    return Response(orjson.dumps(content), 202, headers, JSON)


def add_placing(http: FastAPI) -> None:
    """Add the route; ahead of all others, so that it is found at once."""
    headers = {"Location": {"description": "The order.", "schema": {"type": "string"}}}
    http.router.add_api_route(
        PATH,
        place_order,
        methods=["POST"],
        status_code=202,
        tags=["orders"],
        summary="Place an order",
        response_model=Placed,
        response_description="The order is durable.",
        responses={202: {"headers": headers}, **changing(*BODY, *_REFUSALS)},
        openapi_extra=_EXTRA,
        route_class_override=_LeanRoute,
    )


def idempotency_key(request: Request) -> str:
    """Give the key of a request, '' for none."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return ""
    if not _KEY.fullmatch(key):
        raise invalid(IDEMPOTENCY_KEY, "needs 1 to 255 printable ASCII characters")
    return key


def _refusal(answer: placement.Answer) -> ProblemError:
    retry = {"retry-after": str(RETRY_SECONDS)}
    match answer:
        case placement.KeyReused(key, order_id):
            wrong = FieldError(field=IDEMPOTENCY_KEY, message="belongs to another body")
            detail = f"The key {key!r} placed order {order_id}, with another body."
            return ProblemError(Code.KEY_REUSED, detail, [wrong])
        case placement.KeyInFlight(key):
            detail = f"A request with the key {key!r} is being handled right now."
            return ProblemError(Code.KEY_IN_FLIGHT, detail, headers=retry)
        case _:
            detail = "Too many orders are waiting for the disk. Try again in a moment."
            return ProblemError(Code.OVERLOADED, detail, headers=retry)
