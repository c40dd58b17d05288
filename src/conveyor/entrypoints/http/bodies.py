"""Bodies are read with a limit, and parsed from their bytes: FastAPI's own way is much slower."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, JsonValue, ValidationError

from conveyor.commerce.orders.bodies import Bodies
from conveyor.commerce.orders.model import OrderBody, check_storable
from conveyor.commerce.orders.raw_json import flaw_of
from conveyor.core.untyped import Json
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.problems import ProblemError, invalid, unreadable

MAX_BODY_BYTES = 1_048_576
"""As much as SQS takes in one message."""

M = TypeVar("M", bound=BaseModel)


async def read_body(request: Request) -> bytes:
    """Give the body, but never more than `MAX_BODY_BYTES` of it. Raises `ProblemError`."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise ProblemError(
                Code.TOO_LARGE,
                f"The body is larger than {MAX_BODY_BYTES} bytes.",
                headers={"connection": "close"},  # and let the rest be
            )
        chunks.append(chunk)
    return b"".join(chunks)


def parse(model: type[M], body: bytes) -> M:
    """Read JSON as this model, whatever the content type says. Raises `ProblemError`."""
    if flaw := flaw_of(body):
        raise invalid("body", flaw)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise unreadable(error) from None


def read_object(field: str, model: type[BaseModel], raw: bytes) -> dict[str, JsonValue]:
    """Read a JSON object as it came that is right by this model. Raises `ProblemError`."""
    value = read_json(field, raw)
    parse(model, raw)
    if not isinstance(value, dict):
        raise invalid(field, "is no JSON object")
    return value


def read_json(field: str, raw: bytes) -> JsonValue:
    """Read JSON that is kept as it came, also what no model looks at. Raises `ProblemError`."""
    if flaw := flaw_of(raw):
        raise invalid(field, flaw)
    try:
        value: JsonValue = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProblemError(Code.MALFORMED_JSON, f"The body is not JSON: {error}") from None
    try:
        check_storable(field, value)
    except ValueError as error:
        raise invalid(field, str(error).removeprefix(f"{field}: ")) from None
    return value


def read_order(bodies: Bodies, raw: bytes) -> OrderBody:
    """Read an order as the model of its flow. Raises `ProblemError`."""
    try:
        return bodies.read_json(raw)
    except ValidationError as error:
        raise unreadable(error) from None


def body_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Give the dependency that reads the body as this model; see `body_is` for its description."""

    async def read(request: Request) -> M:
        return parse(model, await read_body(request))

    return read


def body_is(model: type[BaseModel], example: Json, *, required: bool = True) -> dict[str, Json]:
    """Describe a body that `body_of` reads, for `openapi_extra`."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": required, "content": content}}


def any_json(example: Json) -> dict[str, Json]:
    """Describe a body that is looked at only after the answer, or after its signature."""
    content = {"application/json": {"schema": {}, "example": example}}
    return {"requestBody": {"required": True, "content": content}}
