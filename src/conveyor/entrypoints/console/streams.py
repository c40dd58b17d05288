"""Server-sent events: a part of a page is sent again whenever it has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from conveyor.core.supervision import wait_for_stop
from conveyor.entrypoints.console.viewer import Viewer, console_of
from conveyor.entrypoints.http.events import BEAT_SECONDS, EVENT_STREAM

LOOK_SECONDS = 1.0
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}

Look = Callable[[], Awaitable[str | None]]
"""Gives the part as HTML; None: there is nothing more to see."""


async def stream(request: Request, viewer: Viewer, look: Look) -> Response:
    """Send what `look` gives, and again whenever it gives something else.

    It ends with the session, with the process, once its key opens something else, or once nothing
    can change any more. Raises `ProblemError` where the key has too many streams.
    """
    console = console_of(request)
    console.api.rates.may_stream(viewer.grant.key_id)
    stop = getattr(request.app.state.outer, "stopping", None) or asyncio.Event()

    async def look_while_signed_in() -> str | None:
        if await console.sessions.grant_of(viewer.word) != viewer.grant:
            return None
        return await look()

    async def events() -> AsyncIterator[str]:
        with console.api.rates.streaming(viewer.grant.key_id):
            async for event in _changes(look_while_signed_in, stop):
                yield event

    return StreamingResponse(events(), 200, HEADERS, EVENT_STREAM)


async def _changes(look: Look, stop: asyncio.Event) -> AsyncIterator[str]:
    last, silent = "", 0.0
    while not stop.is_set():
        html = await look()
        if html is None:
            yield "event: over\ndata: \n\n"
            return
        if html != last:
            last, silent = html, 0.0
            yield _event(html)
        elif silent >= BEAT_SECONDS:
            silent = 0.0
            yield ": nothing new\n\n"
        await wait_for_stop(stop, LOOK_SECONDS)
        silent += LOOK_SECONDS


def _event(html: str) -> str:
    return "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"
