"""Many connections for httpx, each with a pool of its own.

The time that one pool takes to hand out a connection grows with the square of their number; with
thirty of them it costs more than everything else about a request.
"""

from __future__ import annotations

import asyncio

import httpx


class PooledConnections(httpx.AsyncBaseTransport):
    """Up to `count` requests at a time; the connection that was used last is used next."""

    def __init__(self, count: int) -> None:
        self._lanes = [_lane() for _ in range(count)]
        self._idle: asyncio.LifoQueue[httpx.AsyncHTTPTransport] = asyncio.LifoQueue()
        for lane in self._lanes:
            self._idle.put_nowait(lane)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it when there is a lane for it, and read the whole answer."""
        lane = await self._idle.get()
        try:
            answer = await lane.handle_async_request(request)
            body = await answer.aread()
        finally:
            self._idle.put_nowait(lane)
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=httpx.ByteStream(body)
        )

    async def aclose(self) -> None:
        """Close every connection."""
        for lane in self._lanes:
            await lane.aclose()


def _lane() -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(verify=_TLS, limits=_ONE)


_TLS = httpx.create_ssl_context()
_ONE = httpx.Limits(max_connections=1)
