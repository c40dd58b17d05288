"""Following an order live: server-sent events, one for each entry of its timeline.

A follower costs one short read a second, whatever the order does, and nothing once it is over.
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import Header, Request, Response
from fastapi.responses import StreamingResponse

from conveyor.access.model import Grant
from conveyor.core.rfc3339 import iso
from conveyor.core.supervision import wait_for_stop
from conveyor.core.timeline import Entry
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Reader, TheApi, key_text
from conveyor.entrypoints.http.described import looking
from conveyor.entrypoints.http.orders import AnyId, order_or_404
from conveyor.entrypoints.http.problems import not_found
from conveyor.entrypoints.http.rates import Rates
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.operations.following import MAX_ENTRIES, Seen, look
from conveyor.system.composition import App

LOOK_SECONDS = 1.0
BEAT_SECONDS = 15.0
"""How often a comment is sent while nothing happens, so that nobody takes the line for dead."""
EVENT_STREAM = "text/event-stream"
MAX_NUMBER = 2**63 - 1

Still = Callable[[], Awaitable[Grant | None]]
"""Gives what the follower's key opens now; None: nothing any more."""

router = ApiRouter("/v1/orders", tags=["orders"], responses=looking())

_EXAMPLE = """\
id: 17
event: awaiting
data: {"at":"2026-01-01T12:00:00.000+00:00","step":"riders.assign","detail":{"offer":1}}

"""
_STREAM = {
    "description": "The events so far, and then each as it happens. It ends with the order.",
    "content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": _EXAMPLE}},
}
_OVER = {"description": "The order is at its end, and all of its events have been seen."}
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


@dataclass(slots=True)
class Following:
    """One follower's look at one order; `after` is the number of the last event seen."""

    app: App
    order_id: str
    merchant: str | None
    after: int = 0
    glimpse: Mapping[str, Any] = field(default_factory=dict)

    async def look(self) -> Seen | None:
        """See what is new; None: there is no such order of this merchant."""
        return await look(self.app, self.order_id, self.merchant, self.after)

    def tell(self, seen: Seen) -> str:
        """Write as events what is new."""
        events = [_event(number, entry) for number, entry in seen.entries]
        if seen.entries:
            self.after = seen.entries[-1][0]
        if seen.glimpse and seen.glimpse != self.glimpse:
            events.append(f"event: glimpse\ndata: {_json(seen.glimpse)}\n\n")
            self.glimpse = seen.glimpse
        return "".join(events)


@router.get(
    "/{order_id}/events",
    response_class=StreamingResponse,
    responses={200: _STREAM, 204: _OVER, **looking(Code.NOT_FOUND)},
)
async def follow_order(
    order_id: AnyId,
    request: Request,
    api: TheApi,
    grant: Reader,
    last_event_id: Annotated[int | None, Header(ge=0, le=MAX_NUMBER)] = None,
) -> Response:
    """Follow an order: all that has happened, and then whatever happens, until its end."""
    following = Following(api.app, order_or_404(order_id), grant.sees, last_event_id or 0)
    seen = await following.look()
    if seen is None:
        raise not_found("order")
    if last_event_id is not None and seen.is_last and not seen.entries:
        return Response(status_code=204)  # which tells a browser not to come again
    api.rates.may_stream(grant.key_id)
    stop = getattr(request.app.state, "stopping", None) or asyncio.Event()
    still = partial(api.access.grant_of, key_text(request))
    counted = _counted(api.rates, grant.key_id, _stream(following, seen, stop, still))
    return StreamingResponse(counted, 200, _HEADERS, EVENT_STREAM)


async def _counted(rates: Rates, key_id: str, events: AsyncIterator[str]) -> AsyncIterator[str]:
    with rates.streaming(key_id):
        async for event in events:
            yield event


async def _stream(
    following: Following, seen: Seen | None, stop: asyncio.Event, still: Still
) -> AsyncIterator[str]:
    silent = 0.0
    while seen is not None:
        if text := following.tell(seen):
            silent = 0.0
            yield text
        elif silent >= BEAT_SECONDS:
            silent = 0.0
            yield ": nothing new\n\n"
        if seen.is_last or stop.is_set():
            return
        if len(seen.entries) < MAX_ENTRIES:
            await wait_for_stop(stop, LOOK_SECONDS)
            silent += LOOK_SECONDS
        if await still() is None:
            return  # its key was revoked, or has expired
        seen = await following.look()


def _event(number: int, entry: Entry) -> str:
    data = {
        "at": iso(entry.at),
        "event": entry.event,
        "step": entry.step,
        "attempt": entry.attempt,
        "version": entry.version,
        "detail": orjson.loads(entry.detail) if entry.detail else {},
    }
    return f"id: {number}\nevent: {entry.event}\ndata: {_json(data)}\n\n"


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(value)).decode()
