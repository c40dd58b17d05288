"""Whether there are traces, and where they go: OpenTelemetry's own variables say so.

See https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

from __future__ import annotations

from collections.abc import Mapping

from conveyor.core.tracing import Tracer
from conveyor.settings import SettingError

DISABLED = "OTEL_SDK_DISABLED"
EXPORTER = "OTEL_TRACES_EXPORTER"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
OTLP, NONE = "otlp", "none"
PROTOCOL = "http/protobuf"


def open_tracer(environment: Mapping[str, str]) -> Tracer | None:
    """Open what takes traces; None: nobody asks for any.

    Raises `SettingError` where what is asked for cannot be had.
    """
    asked = _asked_by(environment)
    if not asked:
        return None
    for name in PROTOCOLS:
        if protocol := environment.get(name, ""):
            if protocol != PROTOCOL:
                raise SettingError(name, f"{protocol!r} is not spoken here: set {PROTOCOL}")
            break
    try:
        from conveyor.adapters.otel import OtelTracer
    except ModuleNotFoundError as error:
        missing = "traces need OpenTelemetry's SDK: pip install 'conveyor[otel]'"
        raise SettingError(asked, f"{missing}, or set {DISABLED}=true") from error
    return OtelTracer()


def _asked_by(environment: Mapping[str, str]) -> str:
    """Give the variable that asks for traces; '' for none. Raises `SettingError`."""
    if environment.get(DISABLED, "").strip().lower() == "true":
        return ""
    exporter = environment.get(EXPORTER, "").strip().lower()
    if exporter not in {"", OTLP, NONE}:
        raise SettingError(EXPORTER, f"{exporter!r} is neither {OTLP} nor {NONE}")
    if exporter:
        return EXPORTER if exporter == OTLP else ""
    return next((name for name in ENDPOINTS if environment.get(name, "").strip()), "")
