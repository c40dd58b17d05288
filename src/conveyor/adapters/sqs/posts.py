"""POSTs to one URL by the standard library, for who sends a few: a function, which does not poll.

The library that a worker's long polls need takes a function a sixth of its cold start to import.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit


class FewPosts:
    """Keeps its connections; each request has a thread for as long as it takes."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        """`url` is without path or query."""
        parts = urlsplit(url)
        self._host = parts.netloc
        self._made = HTTPConnection if parts.scheme == "http" else HTTPSConnection
        self._timeout_seconds = timeout_seconds
        self._idle: list[HTTPConnection] = []

    async def post(self, body: bytes, headers: Mapping[str, str]) -> bytes | None:
        """Give what was answered; None: it was no plain success."""
        return await asyncio.to_thread(self.post_now, body, headers)

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        self.close_now()

    def close_now(self) -> None:
        """Do as `close` does, at once."""
        while self._idle:
            self._idle.pop().close()

    def post_now(self, body: bytes, headers: Mapping[str, str]) -> bytes | None:
        """Do as `post` does, in the caller's thread."""
        kept = self._take()
        if kept is not None:
            # The other side may have closed it at any time: then once more, over a new one.
            answer = self._asked(kept, body, headers)
            if answer is not None:
                return _success(answer)
        answer = self._asked(self._new(), body, headers)
        return None if answer is None else _success(answer)

    def _take(self) -> HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _new(self) -> HTTPConnection:
        return self._made(self._host, timeout=self._timeout_seconds)

    def _asked(
        self, connection: HTTPConnection, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes] | None:
        """Give status and text; None: nobody answered."""
        try:
            connection.request("POST", "/", body, dict(headers))
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException):
            connection.close()
            return None
        self._idle.append(connection)
        return answer.status, text


def _success(answer: tuple[int, bytes]) -> bytes | None:
    status, text = answer
    return text if status == HTTPStatus.OK else None
