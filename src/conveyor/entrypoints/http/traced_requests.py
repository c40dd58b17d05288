"""A span for each request of the API, in the trace of whoever sent it, or in a new one."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conveyor.core.order_log import TRACE_ID
from conveyor.core.traces import ERROR_TYPE, Traces
from conveyor.core.tracing import CURRENT, TRACEPARENT, Attribute, SpanKind, read_traceparent
from conveyor.entrypoints.http.request_figures import METHODS, route_of

API = "/v1/"
"""What is beside it is asked again and again: whether all is well, the figures, a page's stream."""
OTHER_METHOD = "_OTHER"
ERRORS_FROM = 500


class TracedRequests:
    """Middleware that tells of each request, and lets what is done for it be under that."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        """Wrap an application."""
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http" or not scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        traces, since, status = self._traces, self._traces.now_ms(), 0
        parent = read_traceparent(Headers(scope=scope).get(TRACEPARENT))
        span = traces.tracer.new_context(parent)
        within = CURRENT.set(span), TRACE_ID.set(span.trace_id if span.sampled else "")

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with traces.tracer.within(span):
                await self._app(scope, receive, sending)
        finally:
            CURRENT.reset(within[0])
            TRACE_ID.reset(within[1])
            name, about = _said(scope, status)
            error = about.get(ERROR_TYPE)
            failed = None if error is None else ""
            traces.tell(name, SpanKind.SERVER, span, parent, since, attributes=about, error=failed)


def _said(scope: Scope, status: int) -> tuple[str, dict[str, Attribute]]:
    """Give name and attributes: of a path only its route, since paths name orders and customers."""
    method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
    about: dict[str, Attribute] = {
        "http.request.method": method,
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
    }
    if route := route_of(scope):
        about["http.route"] = route
    if status:
        about["http.response.status_code"] = status
    if status >= ERRORS_FROM or not status:
        about[ERROR_TYPE] = str(status) if status else "no_answer"
    name = "HTTP" if method == OTHER_METHOD else method
    return f"{name} {route}" if route else name, about
