"""Whether a process pushes its figures to a collector, beside telling them to whoever asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from conveyor.settings import SettingError
from conveyor.system.otel_variables import asked_by, not_installed

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

SIGNAL = "METRICS"
PROMETHEUS = "prometheus"
"""Asked for by OpenTelemetry's variable as well: it is told at /metrics in any case."""
INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"
INTERVAL_MS = 60_000
TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
CUMULATIVE = "cumulative"


class FiguresPush(Protocol):
    """Whoever takes the figures of a process."""

    interval_seconds: float

    async def send(self, families: Iterable[Metric], now_ms: int) -> None:
        """Hand them on. That nobody takes them is told in the log, and raises nothing."""
        ...

    def close(self) -> None:
        """Break off what is under way; nothing is sent any more."""
        ...


def open_figures_push(environment: Mapping[str, str], now_ms: int) -> FiguresPush | None:
    """Open what takes the figures; None: nobody asks for that.

    Raises `SettingError` where what is asked for cannot be had.
    """
    asked = asked_by(environment, SIGNAL, [PROMETHEUS])
    if not asked:
        return None
    preferred = environment.get(TEMPORALITY, "").strip().lower() or CUMULATIVE
    if preferred != CUMULATIVE:
        instead = f"set {CUMULATIVE}, and let the collector make deltas (cumulativetodelta)"
        raise SettingError(TEMPORALITY, f"{preferred!r} is not spoken here: {instead}")
    interval_seconds = _interval_seconds(environment)
    try:
        from conveyor.adapters.otel.figures import OtelFigures
    except ModuleNotFoundError as error:
        raise not_installed(asked, "pushed metrics") from error
    return OtelFigures(interval_seconds, now_ms)


def _interval_seconds(environment: Mapping[str, str]) -> float:
    text = environment.get(INTERVAL, "").strip() or str(INTERVAL_MS)
    if not text.isdecimal() or not int(text):
        raise SettingError(INTERVAL, f"{text!r} is no number of milliseconds")
    return int(text) / 1_000
