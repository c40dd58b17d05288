"""Where OpenTelemetry's SDK is asked for and not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.cli.driver import say


@pytest.mark.parametrize(
    ("asked", "missing", "what"),
    [
        ("OTEL_TRACES_EXPORTER", "opentelemetry.sdk.trace", "traces"),
        ("OTEL_METRICS_EXPORTER", "opentelemetry.sdk.metrics.export", "pushed metrics"),
    ],
)
def test_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, missing: str, what: str
) -> None:
    for name in [it for it in sys.modules if it.startswith("conveyor.adapters.otel")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    said = say("up", "--data", tmp_path, "--port", 0, **{asked: "otlp"})
    assert said.code == 2
    assert f"{asked}: {what} need" in said.err
    assert "pip install 'conveyor[otel]', or set OTEL_SDK_DISABLED=true" in said.err
