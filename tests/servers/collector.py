"""A collector of traces: takes spans by OTLP over HTTP, as anybody's does, and keeps them."""

from __future__ import annotations

import gzip
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.proto.trace.v1.trace_pb2 import Status

PATH = "/v1/traces"
PROTOBUF = "application/x-protobuf"
SOON_MS = "50"
ERROR = Status.STATUS_CODE_ERROR


@dataclass(frozen=True)
class Span:
    """A span as it came; `process` is what the sender's resource says of it."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    seconds: float
    attributes: Mapping[str, Any]
    links: tuple[str, ...]
    failed: bool
    says: str
    process: Mapping[str, Any]

    @property
    def order(self) -> str:
        """The order that it is about, '' for none."""
        return str(self.attributes.get("conveyor.order.id", ""))

    @property
    def outcome(self) -> str:
        return str(self.attributes.get("conveyor.outcome", ""))


@dataclass
class Collector:
    """What has come so far; `raw` is the text of it all."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    status: int = 200

    @property
    def environment(self) -> dict[str, str]:
        """The standard variables with which a process sends its spans here, and soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": SOON_MS}

    def of_order(self, order_id: str) -> list[Span]:
        """Give what is about an order."""
        return [it for it in self.spans if it.order == order_id]

    def of_trace(self, trace_id: str) -> list[Span]:
        """Give what is in a trace."""
        return [it for it in self.spans if it.trace_id == trace_id]

    def traces(self) -> dict[str, set[str]]:
        """Give the traces that tell of each order."""
        found: dict[str, set[str]] = defaultdict(set)
        for it in self.spans:
            if it.order:
                found[it.order].add(it.trace_id)
        return dict(found)

    def take(self, body: bytes) -> None:
        self.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            process = _values(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.spans.extend(_span(it, process) for it in scope.spans)


def whole(spans: list[Span], root: str = "") -> bool:
    """Whether each span of a trace is under another of it, or under the one with this id."""
    known = {it.span_id for it in spans} | {root}
    return len({it.span_id for it in spans}) == len(spans) and all(
        it.parent in known for it in spans
    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector on a port of its own."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            status = collector.status if self.path == PATH else 404
            if status == 200:
                collector.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(status)
            self.send_header("content-type", PROTOBUF)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_said: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _span(sent: Sent, process: Mapping[str, Any]) -> Span:
    return Span(
        name=sent.name,
        kind=Sent.SpanKind.Name(sent.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=sent.trace_id.hex(),
        span_id=sent.span_id.hex(),
        parent=sent.parent_span_id.hex(),
        seconds=(sent.end_time_unix_nano - sent.start_time_unix_nano) / 1e9,
        attributes=_values(sent.attributes),
        links=tuple(it.trace_id.hex() for it in sent.links),
        failed=sent.status.code == ERROR,
        says=sent.status.message,
        process=process,
    )


def _values(attributes: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(attributes)
    return {it.key: getattr(it.value, str(it.value.WhichOneof("value"))) for it in pairs}
