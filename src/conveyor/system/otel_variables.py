"""What OpenTelemetry's own variables ask for.

See https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conveyor.settings import SettingError

DISABLED = "OTEL_SDK_DISABLED"
OTLP, NONE = "otlp", "none"
PROTOCOL = "http/protobuf"


def asked_by(environment: Mapping[str, str], signal: str, elsewhere: Sequence[str] = ()) -> str:
    """Give the variable that asks for a signal (`TRACES`, `METRICS`) by OTLP; '' for none.

    `elsewhere` are exporters that need nothing of ours. Raises `SettingError` where what is asked
    for is not to be had.
    """
    if environment.get(DISABLED, "").strip().lower() == "true":
        return ""
    name = f"OTEL_{signal}_EXPORTER"
    endpoints = (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    if exporter := environment.get(name, "").strip().lower():
        known = (OTLP, *elsewhere, NONE)
        if exporter not in known:
            raise SettingError(name, f"{exporter!r} is none of {', '.join(known)}")
        found = name if exporter == OTLP else ""
    else:
        found = next((it for it in endpoints if environment.get(it, "").strip()), "")
    if found:
        _require_protocol(environment, signal)
    return found


def not_installed(asked: str, what: str) -> SettingError:
    """Give the error that says what is missing."""
    missing = f"{what} need OpenTelemetry's SDK: pip install 'conveyor[otel]'"
    return SettingError(asked, f"{missing}, or set {DISABLED}=true")


def _require_protocol(environment: Mapping[str, str], signal: str) -> None:
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if protocol := environment.get(name, ""):
            if protocol != PROTOCOL:
                raise SettingError(name, f"{protocol!r} is not spoken here: set {PROTOCOL}")
            return
