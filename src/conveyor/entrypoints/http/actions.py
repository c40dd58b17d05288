"""A log of its own of who did what: every change that was asked for, and every key that failed.

Its logger is `conveyor.actions`, a line an action at level INFO, a refusal at WARNING. Orders that
are placed are not among them, since they have a story each.
"""

from __future__ import annotations

import logging
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("conveyor.actions")

LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})
NOT_AN_ACTION = frozenset({"/v1/orders", "/v1/intake", "/v1/webhooks/carrier"})
REFUSED = frozenset({401, 403})


class ActionLog:
    """Middleware that writes down who asked for a change, and what came of it."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note(scope, message["status"])
            await send(message)

        await self._app(scope, receive, sending)


def _note(scope: Scope, status: int) -> None:
    refused = status in REFUSED
    if not refused and (scope["method"] in LOOKS or scope["path"] in NOT_AN_ACTION):
        return
    log.log(
        logging.WARNING if refused else logging.INFO,
        "%s %s by %s from %s: %d",
        scope["method"],
        _plain(scope["path"]),
        _who(scope),
        _plain((scope.get("client") or ("this machine",))[0]),  # which a proxy may have named
        status,
    )


def _plain(text: str) -> str:
    """Write it as a part of a log's line, and of no more than one."""
    return text.encode("unicode_escape").decode()


def _who(scope: Scope) -> str:
    grant: Any = scope.get("state", {}).get("grant")
    return f"{grant.holder} of {grant.merchant}" if grant else "nobody known"
