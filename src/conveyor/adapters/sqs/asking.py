"""Asks the queue service one thing and gives what it said, a refusal as well as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

REFUSALS = ("AccessDenied", "AuthorizationError", "NotAuthorized", "UnauthorizedOperation")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `code` is '' where it was done, and the error's where it was not."""

    code: str
    message: str
    body: Mapping[str, Any]
    date_ms: int | None
    """The service's own time, to the second: its `Date` header."""

    @property
    def is_refused(self) -> bool:
        """Whether this identity may not do it."""
        return any(word in self.code for word in REFUSALS)


def answer_of(body: Mapping[str, Any]) -> Answer:
    """Read an answer of the SDK, or what it says of an error."""
    error = body.get("Error", {})
    headers = body.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return Answer(error.get("Code", ""), error.get("Message", ""), body, _ms(headers.get("date")))


def _ms(date: str | None) -> int | None:
    if not date:
        return None
    try:
        return round(parsedate_to_datetime(date).timestamp() * 1000)
    except ValueError:
        return None
