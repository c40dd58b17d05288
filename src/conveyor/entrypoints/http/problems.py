"""Every error is answered as problem+json (RFC 9457), and names the field where there is one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from conveyor.core.errors import (
    CommitUnknownError,
    ConveyorError,
    DatabaseUnavailableError,
    MissingFlowError,
    QueueUnavailableError,
    ReplicaUnableError,
    UnknownFlowError,
)
from conveyor.entrypoints.http.codes import Code, ProblemCode
from conveyor.operations.archive import ArchiveMissingError
from conveyor.operations.missing_flows import ADVICE
from conveyor.operations.order_search import UnknownNameError

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
MAX_ERRORS = 50
"""Wrong fields that an answer names."""
READING = {"GET", "HEAD"}
RETRY_SECONDS = 5
"""When to try again after the database or the queue could not be used."""


class FieldError(BaseModel):
    """What is wrong with one field; `field` is a path such as `items.0.sku`, or a header."""

    field: str
    message: str


class Problem(BaseModel):
    """Why a request was not carried out (RFC 9457)."""

    type: Literal["about:blank"] = "about:blank"
    title: str = Field(description="The meaning of the HTTP status.")
    status: int
    code: str = Field(description="One word that stays as it is, for programs.")
    detail: str = Field(description="What happened, for people.")
    errors: list[FieldError] = Field(default_factory=list, description="The fields at fault.")


class ProblemError(ConveyorError):
    """A request that is answered with a problem."""

    def __init__(
        self,
        code: ProblemCode,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers

    def content(self) -> dict[str, Any]:
        """Give what the answer says."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.code.status).phrase,
            "status": self.code.status,
            "code": str(self.code),
            "detail": self.detail,
            "errors": [{"field": e.field, "message": e.message} for e in self.errors[:MAX_ERRORS]],
        }

    def response(self) -> Response:
        """Give the answer."""
        content = orjson.dumps(self.content())
        return Response(content, self.code.status, self.headers, PROBLEM_JSON)


def turned_away(said: str, why: Mapping[ProblemCode, str]) -> ProblemError:
    """Give the problem of whoever was turned away with the word `said`, which is one of these."""
    return next(ProblemError(code, reason) for code, reason in why.items() if code == said)


def invalid(field: str, message: str) -> ProblemError:
    """One field is wrong."""
    return ProblemError(
        Code.INVALID, f"{field}: {message}", [FieldError(field=field, message=message)]
    )


def not_found(what: str) -> ProblemError:
    """There is no such thing, or it is another merchant's."""
    return ProblemError(Code.NOT_FOUND, f"There is no such {what}.")


def unreadable(error: ValidationError) -> ProblemError:
    """A body that is not JSON, or not what it should be."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    if errors[0]["type"] == "json_invalid":
        return ProblemError(Code.MALFORMED_JSON, f"The body is not JSON: {errors[0]['msg']}")
    return _invalid([_field_error(e["loc"], e["msg"]) for e in errors[:MAX_ERRORS]])


def _invalid(errors: Sequence[FieldError]) -> ProblemError:
    detail = "; ".join(f"{e.field}: {e.message}" if e.field else e.message for e in errors)
    return ProblemError(Code.INVALID, detail, errors)


def _field_error(location: Sequence[int | str], message: str) -> FieldError:
    message = message.removeprefix("Value error, ")
    if not location and ": " in message:  # a rule about the whole names its field itself
        field, _, message = message.partition(": ")
        return FieldError(field=field, message=message)
    field = ".".join(str(part) for part in location)
    return FieldError(field=field, message=message.removeprefix(f"{field}: "))


async def _problem(_request: Request, error: ProblemError) -> Response:
    return error.response()


async def _parameters(_request: Request, error: RequestValidationError) -> Response:
    # The first part of a location says where it was: in the query, the path or a header.
    return _invalid([_field_error(e["loc"][1:], e["msg"]) for e in error.errors()]).response()


async def _http(request: Request, error: HTTPException) -> Response:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return ProblemError(Code.NOT_FOUND, "There is nothing at this path.").response()
        case HTTPStatus.METHOD_NOT_ALLOWED:
            code, allow = Code.METHOD_NOT_ALLOWED, ", ".join(sorted(_methods(request)))
            return ProblemError(code, code.why, headers={"allow": allow}).response()
        case _:
            return await _bug(request, error)


def _methods(request: Request) -> set[str]:
    """All methods of the path, of which Starlette names those of the first route only."""
    routes = request.app.state.routes
    path = next((r.path for r in routes if r.path_regex.match(request.scope["path"])), None)
    if path is None:  # the document, its page and their files are not among our routes
        return READING
    return {method for route in routes if route.path == path for method in route.methods}


async def _unknown_flow(_request: Request, error: Exception) -> Response:
    return invalid("flow", str(error)).response()


async def _unknown_name(_request: Request, error: UnknownNameError) -> Response:
    return invalid(error.field, error.why).response()


async def _missing_flow(_request: Request, error: Exception) -> Response:
    text = str(error)
    return ProblemError(Code.FLOW_MISSING, f"{text[0].upper()}{text[1:]}. {ADVICE}").response()


async def _archive_missing(request: Request, error: ArchiveMissingError) -> Response:
    whole = request.state.grant.runs_the_system
    return ProblemError(Code.ARCHIVED, error.said_to(runs_the_system=whole)).response()


async def _unavailable(request: Request, error: Exception) -> Response:
    _tell(request, error, "a request could not be carried out")
    retry = {"retry-after": str(RETRY_SECONDS)}
    return ProblemError(Code.UNAVAILABLE, _SORRY, headers=retry).response()


async def _replica_unable(request: Request, error: Exception) -> Response:
    _tell(request, error, "a request could not be carried out")
    retry = {"retry-after": str(RETRY_SECONDS)}
    said = f"{Code.UNAVAILABLE.why} The replica that is read from: {getattr(error, 'cause', '')}."
    return ProblemError(Code.UNAVAILABLE, said, headers=retry).response()


async def _commit_unknown(request: Request, error: Exception) -> Response:
    _tell(request, error, "a request was carried out, or was not")
    retry = {"retry-after": str(RETRY_SECONDS)}
    return ProblemError(Code.UNKNOWN_OUTCOME, _LOOK_FIRST, headers=retry).response()


async def _unanswered(request: Request, error: Exception) -> Response:
    if request.method in READING:
        return await _unavailable(request, error)
    _tell(request, error, "a queue did not answer a request")
    retry = {"retry-after": str(RETRY_SECONDS)}
    return ProblemError(Code.UNKNOWN_OUTCOME, _SEND_AGAIN, headers=retry).response()


def _tell(request: Request, error: Exception, words: str) -> None:
    request.app.state.api.app.engine.gate.failed(log, error, words)


async def _disconnected(_request: Request, _error: Exception) -> Response:
    return Response(status_code=HTTPStatus.BAD_REQUEST)  # which nobody is there to read


async def _bug(_request: Request, _error: Exception) -> Response:
    # Logged with its traceback by whoever serves us: Starlette raises it once more for that, and
    # the server then closes the connection, which a client must know before it asks on it again.
    headers = {"connection": "close"}
    return ProblemError(Code.INTERNAL, Code.INTERNAL.why, headers=headers).response()


_SORRY = f"{Code.UNAVAILABLE.why} Try again later."
_SEND_AGAIN = (
    "The queue did not answer: what was asked for may have been done or not. Send a message again "
    "with the same Idempotency-Key; a message that is redriven again stays one order."
)
_LOOK_FIRST = (
    "The connection to the database was lost in the last moment: what was asked for may have been "
    "done or not. With an Idempotency-Key it is safe to try again; else look first."
)

HANDLERS: dict[Any, Any] = {
    ProblemError: _problem,
    RequestValidationError: _parameters,
    HTTPException: _http,
    MissingFlowError: _missing_flow,
    ArchiveMissingError: _archive_missing,
    UnknownFlowError: _unknown_flow,
    UnknownNameError: _unknown_name,
    DatabaseUnavailableError: _unavailable,
    ReplicaUnableError: _replica_unable,
    QueueUnavailableError: _unanswered,
    CommitUnknownError: _commit_unknown,
    ClientDisconnect: _disconnected,
    Exception: _bug,
}
