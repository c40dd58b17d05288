"""How the operations' problems are described in OpenAPI: each by its code, with an example."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from conveyor.entrypoints.http.codes import BEFORE_ALL, Code, ProblemCode
from conveyor.entrypoints.http.problems import PROBLEM_JSON, ProblemError

BODY = (Code.MALFORMED_JSON, Code.TOO_LARGE)
"""What an operation that takes a body may answer with, beside `Code.INVALID`."""
_KEYED = (
    Code.UNAUTHENTICATED,
    Code.FORBIDDEN,
    Code.INVALID,
    Code.RATE_LIMITED,
    Code.OVERLOADED,
    Code.UNAVAILABLE,
)

Responses = dict[int | str, dict[str, Any]]


def looking(*codes: ProblemCode) -> Responses:
    """Describe the problems of an operation that needs a key and changes nothing."""
    return problems(*_KEYED, *codes)


def changing(*codes: ProblemCode) -> Responses:
    """Describe the problems of an operation that needs a key and changes something."""
    return looking(Code.UNKNOWN_OUTCOME, *codes)


def problems(*codes: ProblemCode) -> Responses:
    """Describe these problems, by status."""
    told = sorted(set(codes))
    return {
        status: _response(one for one in told if one.status == status)
        for status in sorted({code.status for code in told})
    }


def listed(codes: Iterable[ProblemCode]) -> str:
    """List codes, in Markdown, by their status."""
    rows = (
        f"| {one.status} {HTTPStatus(one.status).phrase} | `{one}` | {one.why} |"
        for one in sorted(codes, key=lambda code: code.status)
    )
    early = ", ".join(f"`{one}`" for one in Code if one in BEFORE_ALL)
    any_request = f"Any request may be answered with {early}, whatever it asks for."
    return "\n".join(("| status | code | |", "|---|---|---|", *rows, "", any_request))


def _response(codes: Iterable[ProblemCode]) -> dict[str, Any]:
    examples = {
        str(code): {"summary": code.why, "value": ProblemError(code, code.why).content()}
        for code in codes
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": " ".join(f"`{name}`: {one['summary']}" for name, one in examples.items()),
        "content": {PROBLEM_JSON: {"schema": schema, "examples": examples}},
    }
