"""A collector: takes spans and metrics by OTLP over HTTP, as anybody's does, and keeps them."""

from __future__ import annotations

import gzip
import math
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.proto.trace.v1.trace_pb2 import Status

TRACES = "/v1/traces"
METRICS = "/v1/metrics"
ANSWERS = {
    TRACES: ExportTraceServiceResponse().SerializeToString(),
    METRICS: ExportMetricsServiceResponse().SerializeToString(),
}
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


@dataclass(frozen=True)
class Exemplar:
    """One that stands for the others."""

    trace_id: str
    span_id: str
    value: float


@dataclass(frozen=True)
class Point:
    """A figure as it came; of a histogram `value` is the sum, and `buckets` are by their bounds."""

    name: str
    kind: str
    unit: str
    labels: Mapping[str, str]
    process: str
    value: float
    buckets: Mapping[float, int] = field(default_factory=dict)
    exemplars: tuple[Exemplar, ...] = ()

    @property
    def count(self) -> int:
        return sum(self.buckets.values())


@dataclass
class Collector:
    """What has come so far; `raw` is the text of it all, `pushes` are of metrics, each whole."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    pushes: list[list[Point]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    status: int = 200
    refused: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """The standard variables with which a process sends its spans here, and soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_BSP_SCHEDULE_DELAY": SOON_MS,
            "OTEL_METRIC_EXPORT_INTERVAL": SOON_MS,
        }

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

    def pushed(self, name: str, process: str = "", **labels: str) -> list[Point]:
        """Give what each process said last of a metric, of those with these labels."""
        last = {it[0].process: it for it in self.pushes if it}
        return [
            it
            for points in last.values()
            for it in points
            if it.name == name
            and process in {"", it.process}
            and labels.items() <= it.labels.items()
        ]

    def take_metrics(self, body: bytes) -> None:
        self.raw.append(body)
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            process = _values(resource.resource.attributes)["service.instance.id"]
            metrics = [it for scope in resource.scope_metrics for it in scope.metrics]
            self.pushes.append([point for it in metrics for point in _points(it, process)])

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
            status = collector.status if self.path in ANSWERS else 404
            if status == 200:
                take = collector.take if self.path == TRACES else collector.take_metrics
                take(body)
            else:
                collector.refused += 1
            answer = ANSWERS.get(self.path, b"")
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


def _points(sent: Metric, process: str) -> Iterator[Point]:
    kind = str(sent.WhichOneof("data"))
    data = getattr(sent, kind)
    if kind != "gauge":
        assert data.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    for it in data.data_points:
        labels = _values(it.attributes)
        number, buckets = _number(it), _buckets(it)
        exemplars = tuple(
            Exemplar(e.trace_id.hex(), e.span_id.hex(), e.as_double) for e in it.exemplars
        )
        yield Point(sent.name, kind, sent.unit, labels, process, number, buckets, exemplars)


def _number(it: NumberDataPoint | HistogramDataPoint) -> float:
    if isinstance(it, HistogramDataPoint):
        return it.sum
    return float(getattr(it, str(it.WhichOneof("value"))))


def _buckets(it: NumberDataPoint | HistogramDataPoint) -> dict[float, int]:
    if not isinstance(it, HistogramDataPoint):
        return {}
    assert sum(it.bucket_counts) == it.count
    return dict(zip((*it.explicit_bounds, math.inf), it.bucket_counts, strict=True))


def _values(attributes: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(attributes)
    return {it.key: getattr(it.value, str(it.value.WhichOneof("value"))) for it in pairs}
