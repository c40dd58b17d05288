"""Answers that nobody has to think about: written once, sent as they are."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Response

from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.headers import EVERY_ANSWER
from conveyor.entrypoints.http.problems import ProblemError

RETRY_SECONDS = 1
"""When to try again: whatever was too much then may be over in a moment."""


class Refusal:
    """A problem; `later` tells to try again, `closes` that the connection ends with it."""

    def __init__(
        self, code: Code, detail: str = "", *, later: bool = False, closes: bool = False
    ) -> None:
        headers = dict(EVERY_ANSWER)
        if later:
            headers["retry-after"] = str(RETRY_SECONDS)
        if closes:
            headers["connection"] = "close"
        self.code = code
        self.response = ProblemError(code, detail or code.why, headers=headers).response()
        self.raw = _raw(self.response)
        """The same as it goes over the line."""


def _raw(answer: Response) -> bytes:
    line = f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}".encode()
    headers = (b"%b: %b" % header for header in answer.raw_headers)
    return b"\r\n".join([line, *headers, b"", bytes(answer.body)])


_MUCH = "Too much is waiting already, so nothing was done. Try again in a moment."
OVERLOADED = Refusal(Code.OVERLOADED, _MUCH, later=True)
OVERLOADED_AND_OVER = Refusal(Code.OVERLOADED, _MUCH, later=True, closes=True)
"""The same where the client wants no more on this connection."""
MALFORMED = Refusal(Code.MALFORMED_REQUEST, closes=True)
TOO_LONG_URL = Refusal(Code.URL_TOO_LONG, closes=True)
TOO_LARGE_HEADERS = Refusal(Code.HEADERS_TOO_LARGE, closes=True)
TOO_LARGE_BODY = Refusal(Code.TOO_LARGE, closes=True)
TOO_SLOW = Refusal(Code.TOO_SLOW, closes=True)
