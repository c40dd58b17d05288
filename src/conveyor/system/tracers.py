"""Whether there are traces, and where they go."""

from __future__ import annotations

from collections.abc import Mapping

from conveyor.core.tracing import Tracer
from conveyor.system.otel_variables import asked_by, not_installed

SIGNAL = "TRACES"


def open_tracer(environment: Mapping[str, str]) -> Tracer | None:
    """Open what takes traces; None: nobody asks for any.

    Raises `SettingError` where what is asked for cannot be had.
    """
    asked = asked_by(environment, SIGNAL)
    if not asked:
        return None
    try:
        from conveyor.adapters.otel import OtelTracer
    except ModuleNotFoundError as error:
        raise not_installed(asked, "traces") from error
    return OtelTracer()
