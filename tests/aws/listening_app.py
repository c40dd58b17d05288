"""MiniStack's application with an ear in front: who asked for what, by the name of its key."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from ministack.app import app as ministack

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

HEARD_PATH = "/heard"
_KEY = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")
_heard: dict[str, set[str]] = defaultdict(set)


async def app(scope: Event, receive: Receive, send: Send) -> None:
    """Listen, and hand the request on (https://asgi.readthedocs.io/en/latest/specs/)."""
    if scope["type"] == "http":
        if scope["path"] == HEARD_PATH:
            await _answer(send)
            return
        _listen(dict(scope["headers"]))
    await ministack(scope, receive, send)


def _listen(headers: dict[bytes, bytes]) -> None:
    operation = headers.get(b"x-amz-target", b"").decode().rpartition(".")[2]
    signed = _KEY.search(headers.get(b"authorization", b"").decode())
    if operation and signed:
        key, service = signed.groups()
        # A batch needs the same right as a single one.
        _heard[key].add(f"{service}:{operation.removesuffix('Batch')}")


async def _answer(send: Send) -> None:
    headers = [(b"content-type", b"application/json")]
    heard = {key: sorted(actions) for key, actions in _heard.items()}
    await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(heard).encode()})
