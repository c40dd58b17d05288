"""How long requests take, by the route that answers them."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conveyor.core.measures import Histograms, Measures
from conveyor.core.tracing import CURRENT

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
NOT_ROUTED = ""
"""Nobody's path: anybody may ask for any, so that it is no label."""
OTHER = "other"


class RequestFigures:
    """Middleware that times each request until its answer begins: a stream goes on for hours."""

    def __init__(self, app: ASGIApp, seconds: Histograms, measures: Measures) -> None:
        """Wrap an application; `seconds` is told, by method, route and status."""
        self._app = app
        self._seconds = seconds
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        begun = time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in METHODS else OTHER
                labels = (method, route_of(scope), str(message["status"]))
                took = time.perf_counter() - begun
                self._measures.observe(self._seconds[labels], took, CURRENT.get())
            await send(message)

        await self._app(scope, receive, sending)


def route_of(scope: Scope) -> str:
    """Give the route as it is written: a path with an order's id in it is another each time."""
    path = getattr(scope.get("route"), "path", None)
    return NOT_ROUTED if path is None else f"{scope.get('root_path', '')}{path}"
