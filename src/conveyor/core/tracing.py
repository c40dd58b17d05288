"""Traces as OpenTelemetry means them: a span's place in its trace, a span that is over, the port.

Nothing here knows who takes the spans. A span is made once it is over, of what has committed: a
transaction that is run again leaves none behind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

TRACEPARENT = "traceparent"
"""The name of the header, the field of a token and the attribute of a message that say a context.

See https://www.w3.org/TR/trace-context/#traceparent-header.
"""
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[ -~]*)?")
_VERSION = "00"
_NO_VERSION = "ff"
_SAMPLED = 1
MAX_LENGTH = 128
"""Far longer than the version that there is: what is longer is not looked at."""


class SpanContext(NamedTuple):
    """A span's place: its trace and itself, in hexadecimal, and whether anybody keeps them."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @property
    def traceparent(self) -> str:
        """Write it in W3C's form."""
        return f"{_VERSION}-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"


CURRENT: ContextVar[SpanContext | None] = ContextVar("current_span", default=None)
"""The span in which something happens here, such as that of a request."""


def read_traceparent(text: object) -> SpanContext | None:
    """Read a context in W3C's form; None: it is none, which is nobody's fault."""
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        return None
    found = _TRACEPARENT.fullmatch(text)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == _NO_VERSION or (version == _VERSION and more):
        return None
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return SpanContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def trace_id_of(traceparent: str | None) -> str:
    """Give the trace that an order is in; '' for none, and where nobody keeps it."""
    context = read_traceparent(traceparent) if traceparent else None
    return context.trace_id if context is not None and context.sampled else ""


class SpanKind(StrEnum):
    """What a span is to its neighbours, in OpenTelemetry's words."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


Attribute = str | int


@dataclass(frozen=True, slots=True)
class Span:
    """A span that is over; times are milliseconds since the epoch.

    `error` says what went wrong, '' where that has no words; None: nothing did.
    """

    name: str
    kind: SpanKind
    context: SpanContext
    parent: SpanContext | None
    begun: int
    ended: int
    attributes: Mapping[str, Attribute]
    links: Sequence[SpanContext] = ()
    error: str | None = None


class Tracer(Protocol):
    """Whoever takes spans."""

    def new_context(self, parent: SpanContext | None) -> SpanContext:
        """Give a new span's place under its parent, or in a new trace.

        Whether that is kept, settings say; of a span under another its parent does.
        """
        ...

    def take(self, span: Span) -> None:
        """Take a span that is over, and is to be kept; waits for nobody."""
        ...

    def within(self, context: SpanContext) -> AbstractContextManager[None]:
        """Let what libraries note by themselves, such as their requests, be under this span."""
        ...

    async def flush(self, seconds: float) -> None:
        """Hand on what was taken, for so long at most: nobody knows what comes after this."""
        ...

    async def close(self) -> None:
        """Hand on what was taken, as far as there is time."""
        ...


class OrderPlaced(NamedTuple):
    """An order was placed; `traceparent` is what is kept with it, `parent` what asked for it."""

    traceparent: str
    parent: SpanContext | None
    order_id: str
    flow: str
    begun: int


class StepTraced(NamedTuple):
    """A step was taken and came to this.

    `brought` is the context that its message carried, `span` the place that the step has already,
    `asked` the span of whoever answered. `message_id` is '' where no message brought it.
    """

    traceparent: str
    order_id: str
    flow: str
    step: str
    attempt: int
    outcome: str
    cause: str
    begun: int
    brought: str = ""
    span: SpanContext | None = None
    asked: SpanContext | None = None
    message_id: str = ""


class Happened(NamedTuple):
    """Something happened to an order in one moment, such as that somebody redrove it."""

    traceparent: str
    order_id: str
    flow: str
    what: str
    at: int
    cause: str | None = None


Traced = OrderPlaced | StepTraced | Happened
