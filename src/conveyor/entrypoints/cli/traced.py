"""A command that sets orders in motion is a trace, where OpenTelemetry's variables ask for one."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from conveyor.entrypoints.cli.output import note

if TYPE_CHECKING:
    from conveyor.core.tracing import SpanContext, Tracer

log = logging.getLogger(__name__)

OURS = "conveyor"
STANDARD = "OTEL_"
"""How the names of OpenTelemetry's variables begin."""


@asynccontextmanager
async def told_as_trace() -> AsyncIterator[SpanContext | None]:
    """Tell of the command that runs; gives the span that it is, None where nobody asks for any.

    That something about traces is amiss keeps no command from what it is for.
    """
    tracer = _tracer()
    if tracer is None:
        yield None
        return
    span, since, error = tracer.new_context(None), _now_ms(), None
    try:
        yield span
    except BaseException as failed:
        error = type(failed).__name__
        raise
    finally:
        _tell(tracer, span, since, error)
        await tracer.close()


def _tracer() -> Tracer | None:
    if not any(name.startswith(STANDARD) for name in os.environ):
        return None  # and nothing is imported to find that out
    from conveyor.settings import SettingError
    from conveyor.system.tracers import open_tracer

    try:
        return open_tracer(os.environ)
    except SettingError as error:
        note(f"Warning: there is no trace of this: {error}")
        return None


def _tell(tracer: Tracer, context: SpanContext, since: int, error: str | None) -> None:
    from conveyor.core.outage import surviving
    from conveyor.core.traces import ERROR_TYPE
    from conveyor.core.tracing import Span, SpanKind

    if context.sampled:
        about = {} if error is None else {ERROR_TYPE: error}
        failed = None if error is None else ""
        kind, now = SpanKind.INTERNAL, _now_ms()
        with surviving(log, "the span of a command could not be handed on"):
            tracer.take(Span(_name(), kind, context, None, since, now, about, error=failed))


def _name() -> str:
    """Give the command without what it was given, which may say something of a customer."""
    return " ".join([OURS, *click.get_current_context().command_path.split()[1:]])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
