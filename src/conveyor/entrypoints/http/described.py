"""How the operations' problems are described in OpenAPI."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from conveyor.entrypoints.http.problems import PROBLEM_JSON

_WHY = {
    400: "The body is not JSON.",
    401: "No API key, or one that is unknown or revoked.",
    403: "The API key lacks the scope.",
    404: "There is no such thing, or it is another merchant's.",
    409: "It cannot be done as things stand; `detail` says why.",
    413: "The body is too large.",
    422: "A field is wrong; `errors` names it.",
    503: "The database or the queue cannot be used now, or too much is waiting: try again.",
}
_KEYED = (401, 403, 422, 503)


def problems(*statuses: int, keyed: bool = True) -> dict[int | str, dict[str, Any]]:
    """Describe the problems of an operation; `keyed` adds those of all that need a key."""
    told = sorted({*statuses, *_KEYED} if keyed else statuses)
    return {status: _response(status) for status in told}


def _response(status: int) -> dict[str, Any]:
    example = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": HTTPStatus(status).phrase.lower().replace(" ", "_"),
        "detail": _WHY[status],
        "errors": [],
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": _WHY[status],
        "content": {PROBLEM_JSON: {"schema": schema, "example": example}},
    }
