"""Every code that a problem of the API may have: what it means, and the status it comes with."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from conveyor.core import answers
from conveyor.core.interventions import Decision


class ProblemCode(StrEnum):
    """What went wrong, for programs: one word that stays as it is. Flows add their own."""

    status: int
    why: str

    def __new__(cls, word: str, status: int = 0, why: str = "") -> Self:
        """Make a member: a string that knows its HTTP status and what it means."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.status = status
        member.why = why
        return member


class Code(ProblemCode):
    """What may go wrong whatever the flow."""

    MALFORMED_REQUEST = "malformed_request", 400, "This is no HTTP request."
    MALFORMED_JSON = "malformed_json", 400, "The body is not JSON."
    UNAUTHENTICATED = "unauthenticated", 401, "No API key, or one unknown, revoked or expired."
    WEBHOOK_REJECTED = "webhook_rejected", 401, "The signature is missing, wrong or too old."
    FORBIDDEN = "forbidden", 403, "The API key does not open this; `detail` says what it lacks."
    NOT_FOUND = "not_found", 404, "There is no such thing, or it is another merchant's."
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "This path does not take this method."
    TOO_SLOW = "too_slow", 408, "The request took too long to come in."
    KEY_IN_FLIGHT = "key_in_flight", 409, "A request with this idempotency key is under way."
    TOO_LATE = Decision.TOO_LATE.value, 409, "What was done by now cannot be undone."
    NOT_PARKED = Decision.NOT_PARKED.value, 409, "The order does not wait for an operator."
    STILL_OWES = Decision.STILL_OWES.value, 409, "Something is left to undo; `detail` names it."
    NOT_WAITING = Decision.NOT_WAITING.value, 409, "The order does not rest until a next try."
    NOT_COMPLETED = Decision.NOT_COMPLETED.value, 409, "Only a completed order is refunded."
    NOT_REFUNDABLE = (
        Decision.NOT_REFUNDABLE.value,
        409,
        "Its money cannot be given back here; `detail` says why.",
    )
    NOT_AWAITED = answers.NOT_AWAITED, 409, "The order does not wait for that, or no longer."
    FLOW_MISSING = "flow_missing", 409, "The order's flow is not installed here; `detail` names it."
    NO_ARCHIVE = "no_archive", 409, "The archive has no directory, or none that can be written."
    ARCHIVE_BUSY = "archive_busy", 409, "Somebody else archives now, or changes these orders."
    ARCHIVED = "archived", 410, "The order is in the archive, whose file is not at hand here."
    TOO_LARGE = "too_large", 413, "The body is too large."
    URL_TOO_LONG = "url_too_long", 414, "The URL is too long."
    INVALID = "invalid", 422, "A field or parameter is wrong; `errors` names it."
    KEY_REUSED = "key_reused", 422, "The idempotency key belongs to another body."
    RATE_LIMITED = "rate_limited", 429, "Too much at once; `detail` says of what. Try again later."
    HEADERS_TOO_LARGE = "headers_too_large", 431, "The headers are too large, or too many."
    INTERNAL = "internal", 500, "Something is wrong with the server."
    NOT_READY = "not_ready", 503, "The process cannot work now; `errors` names what is away."
    OVERLOADED = "overloaded", 503, "Nothing was changed: too much is waiting. Try again."
    UNAVAILABLE = "unavailable", 503, "Nothing was changed: the database or the queue is away."
    UNKNOWN_OUTCOME = "unknown_outcome", 503, "It may have been done or not; `detail` says more."


BEFORE_ALL = frozenset(
    {
        Code.MALFORMED_REQUEST,
        Code.TOO_SLOW,
        Code.TOO_LARGE,
        Code.URL_TOO_LONG,
        Code.HEADERS_TOO_LARGE,
    }
)
"""What any request may be answered with before it is known which operation it asks for."""
