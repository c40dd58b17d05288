"""OpenTelemetry: hands spans to a collector, by OTLP over HTTP."""

from conveyor.adapters.otel.tracer import OtelTracer

__all__ = ["OtelTracer"]
