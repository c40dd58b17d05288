"""Ids of spans that have a place already: their context is known before they are over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator

from conveyor.core.tracing import SpanContext

_PLANNED: ContextVar[SpanContext | None] = ContextVar("planned_span", default=None)


class PlannedIds(IdGenerator):
    """Gives the ids that are planned, and else random ones: whoever else makes spans has those."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()

    def generate_span_id(self) -> int:
        """See `IdGenerator`."""
        planned = _PLANNED.get()
        return int(planned.span_id, 16) if planned else self._random.generate_span_id()

    def generate_trace_id(self) -> int:
        """See `IdGenerator`."""
        planned = _PLANNED.get()
        return int(planned.trace_id, 16) if planned else self._random.generate_trace_id()


@contextmanager
def planned(context: SpanContext) -> Iterator[None]:
    """Let the span that is begun here have this place."""
    token = _PLANNED.set(context)
    try:
        yield
    finally:
        _PLANNED.reset(token)
