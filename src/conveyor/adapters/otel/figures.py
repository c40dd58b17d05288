"""Sends the figures of a process to a collector, with OpenTelemetry's own exporter."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    MetricExportResult,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.metrics_core import Metric

from conveyor.adapters.otel.collector import Collector
from conveyor.adapters.otel.in_time import in_thread
from conveyor.adapters.otel.points import NS_PER_MS, Look, metrics_of
from conveyor.adapters.otel.resource import OURS, resource

THEN = "(no metrics are pushed meanwhile; where none are wanted, set OTEL_METRICS_EXPORTER=none)"


class OtelFigures:
    """Sends to the collector that the variables name, as `FiguresPush` means it."""

    def __init__(self, interval_seconds: float, now_ms: int) -> None:
        """Nothing is sent yet, nor is anybody asked whether there is a collector."""
        self.interval_seconds = interval_seconds
        self._exporter = OTLPMetricExporter()
        self._collector = Collector("metrics", OTLPMetricExporter, THEN)
        self._resource = resource()
        self._scope = InstrumentationScope(OURS, version(OURS))
        self._began = self._last = now_ms * NS_PER_MS

    async def send(self, families: Iterable[Metric], now_ms: int) -> None:
        """See `FiguresPush`."""
        look = Look(self._began, self._last, now_ms * NS_PER_MS)
        told = [ScopeMetrics(self._scope, list(metrics_of(families, look)), "")]
        data = MetricsData([ResourceMetrics(self._resource, told, "")])
        result = await in_thread(lambda: self._exporter.export(data))
        self._collector.heard(taken=result is MetricExportResult.SUCCESS)
        self._last = look.now

    def close(self) -> None:
        """See `FiguresPush`."""
        self._exporter.shutdown()
