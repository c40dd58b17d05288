"""Hands spans to OpenTelemetry's SDK, which sends them to a collector, batch by batch.

A thread of the SDK's sends them: what it cannot get rid of in time it drops, and nobody waits.
The provider is our own, and not the process's: by that one libraries would tell of requests in
their own way, with whatever stands in a query.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from typing import Any

from opentelemetry import context as current
from opentelemetry import trace as otel
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision

from conveyor.adapters.otel.collector import Collector
from conveyor.adapters.otel.ids import PlannedIds, planned
from conveyor.adapters.otel.in_time import in_time
from conveyor.adapters.otel.resource import OURS, resource
from conveyor.core.tracing import Span, SpanContext, SpanKind

NS_PER_MS = 1_000_000
_KINDS = {kind: otel.SpanKind[kind.name] for kind in SpanKind}
_SAMPLED = otel.TraceFlags(otel.TraceFlags.SAMPLED)
_NOT_SAMPLED = otel.TraceFlags(otel.TraceFlags.DEFAULT)

LAST_SECONDS = 3.0
"""How long a process that stops waits for the collector."""
THEN = "(spans are lost meanwhile; where none are wanted, set OTEL_TRACES_EXPORTER=none)"


class OtelTracer:
    """See `Tracer`. The SDK's own variables say where spans go, and which of them are kept."""

    def __init__(self) -> None:
        """Start the thread that sends; nobody is asked whether there is a collector."""
        self._ids = PlannedIds()
        self._provider = TracerProvider(
            resource=resource(), id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(_Exporter()))
        self._tracer = self._provider.get_tracer(OURS, version(OURS))
        self._has_more = False

    def new_context(self, parent: SpanContext | None) -> SpanContext:
        """See `Tracer`."""
        span_id = otel.format_span_id(self._ids.generate_span_id())
        if parent is not None:
            return parent._replace(span_id=span_id)
        number = self._ids.generate_trace_id()
        decision = self._provider.sampler.should_sample(None, number, OURS).decision
        kept = decision == Decision.RECORD_AND_SAMPLE
        return SpanContext(otel.format_trace_id(number), span_id, kept)

    def take(self, span: Span) -> None:
        """See `Tracer`."""
        with planned(span.context):
            taken = self._tracer.start_span(
                span.name,
                _parent(span.parent),
                _KINDS[span.kind],
                dict(span.attributes),
                [otel.Link(_context(it)) for it in span.links],
                span.begun * NS_PER_MS,
                record_exception=False,
            )
        if span.error is not None:
            taken.set_status(otel.StatusCode.ERROR, span.error or None)
        taken.end(span.ended * NS_PER_MS)
        self._has_more = True

    def within(self, context: SpanContext) -> AbstractContextManager[None]:
        """See `Tracer`."""
        return _within(context)

    async def flush(self, seconds: float) -> None:
        """See `Tracer`."""
        if self._has_more:
            self._has_more = not await in_time(self._provider.force_flush, seconds)

    async def close(self) -> None:
        """See `Tracer`."""
        await in_time(self._provider.shutdown, LAST_SECONDS)


class _Exporter(OTLPSpanExporter):
    """Sends them, and tells once that the collector is away."""

    def __init__(self) -> None:
        super().__init__()
        self._collector = Collector("traces", OTLPSpanExporter, THEN)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        self._collector.heard(taken=result is SpanExportResult.SUCCESS)
        return result


def _context(of: SpanContext) -> otel.SpanContext:
    flags = _SAMPLED if of.sampled else _NOT_SAMPLED
    return otel.SpanContext(
        int(of.trace_id, 16), int(of.span_id, 16), is_remote=True, trace_flags=flags
    )


def _parent(of: SpanContext | None) -> current.Context:
    empty = current.Context()  # whatever happens to be current here has nothing to do with it
    return otel.set_span_in_context(otel.NonRecordingSpan(_context(of)), empty) if of else empty


@contextmanager
def _within(context: SpanContext) -> Iterator[None]:
    token: Any = current.attach(otel.set_span_in_context(otel.NonRecordingSpan(_context(context))))
    try:
        yield
    finally:
        current.detach(token)
