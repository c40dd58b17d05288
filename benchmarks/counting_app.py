"""MiniStack's application with a counter of requests in front; see `counting_sqs`.

It costs a few microseconds a request, for Conveyor and its peers alike.
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from ministack.app import app as ministack

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

COUNTS_PATH = "/counts"
RECEIVE = "ReceiveMessage"
_TARGET = b"x-amz-target"
_counts: Counter[str] = Counter()


async def app(scope: Event, receive: Receive, send: Send) -> None:
    """Count the request and hand it on (https://asgi.readthedocs.io/en/latest/specs/)."""
    if scope["type"] == "http":
        if scope["path"] == COUNTS_PATH:
            await _answer(send)
            return
        receive = _counted(scope, receive)
    await ministack(scope, receive, send)


def _counted(scope: Event, receive: Receive) -> Receive:
    """Count at the first part of the body: what is read of it stands in there."""
    seen = False

    async def first() -> Event:
        nonlocal seen
        event = await receive()
        if not seen and event["type"] == "http.request":
            seen = True
            _count(scope, event.get("body", b""))
        return event

    return first


def _count(scope: Event, body: bytes) -> None:
    """Read the operation: of the JSON protocol, or of the older one, where a form says it."""
    target = dict(scope["headers"]).get(_TARGET, b"").decode("ascii").rpartition(".")[2]
    form = {} if target else parse_qs(body.decode("utf-8", "replace"))
    operation = target or form.get("Action", [""])[0]
    if not operation:
        return  # not of SQS: a look at the server's health
    _counts[operation] += 1
    if target.endswith("Batch"):
        read = json.loads(body)
        _counts[f"{operation} entries"] += len(read["Entries"])
    if target and b".fifo" in body:
        _counts[f"{operation} fifo"] += 1
    if operation == RECEIVE:
        queue = json.loads(body)["QueueUrl"] if target else scope["path"]
        _counts[f"{RECEIVE} {queue.rpartition('/')[2]}"] += 1


async def _answer(send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(_counts).encode()})
