"""POSTs to one URL over a pool of connections, for who polls and has many under way."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import aiohttp
from yarl import URL

# Under SQS's own, so that it is rarely SQS that closes a connection as we send on it.
KEEPALIVE_SECONDS = 30


class PooledPosts:
    """At most so many requests at the same time."""

    def __init__(self, url: str, timeout_seconds: float, connections: int) -> None:
        """`url` is without path or query. To be made on the loop that it is used on."""
        self._url = URL(url.rstrip("/") + "/")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=KEEPALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
        )

    async def post(self, body: bytes, headers: Mapping[str, str]) -> bytes | None:
        """Give what was answered; None: it was no plain success."""
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return await answer.read() if answer.status == HTTPStatus.OK else None
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
