"""POSTs to one URL by the standard library, for who sends a few: a function, which does not poll.

The library that a worker's long polls need takes a function a sixth of its cold start to import.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit


@cache
def trusted() -> ssl.SSLContext:
    """Read the certificates that are trusted, once: a connection's own would be read for each.

    That takes more of a processor than all that is sent over the connection.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class FewPosts:
    """Keeps its connections; each request has a thread for as long as it takes."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        """`url` is without path or query."""
        parts = urlsplit(url)
        self._host = parts.netloc
        self._is_plain = parts.scheme == "http"
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
            with suppress(ConnectionError):  # the other side may have closed it at any time
                return self._asked(kept, body, headers)
        try:
            return self._asked(self._new(), body, headers)
        except ConnectionError:
            return None

    def _take(self) -> HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _new(self) -> HTTPConnection:
        timeout = self._timeout_seconds
        if self._is_plain:
            return HTTPConnection(self._host, timeout=timeout)
        return HTTPSConnection(self._host, timeout=timeout, context=trusted())

    def _asked(
        self, connection: HTTPConnection, body: bytes, headers: Mapping[str, str]
    ) -> bytes | None:
        """Give what was answered, where that is a success. Raises ConnectionError."""
        try:
            connection.request("POST", "/", body, dict(headers))
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            connection.close()
            if isinstance(error, ConnectionError):
                raise
            return None
        self._idle.append(connection)
        return text if answer.status == HTTPStatus.OK else None
