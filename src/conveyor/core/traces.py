"""What a process tells of its orders as traces: which spans there are, and what each of them says.

An order is one trace, from its placing to its end, however many days and processes that takes: all
of it is under the context that is kept with the order. Names are those of OpenTelemetry's semantic
conventions; no attribute says anything of a customer.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from conveyor.core.ambient import Ambient
from conveyor.core.in_hand import InHand
from conveyor.core.order import Order
from conveyor.core.outage import surviving
from conveyor.core.routing_slip import service_of
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.tracing import (
    CURRENT,
    Attribute,
    Happened,
    OrderPlaced,
    Span,
    SpanContext,
    SpanKind,
    StepTraced,
    Traced,
    Tracer,
    read_traceparent,
)

log = logging.getLogger(__name__)

ORDER = "conveyor.order.id"
FLOW = "conveyor.flow"
STEP = "conveyor.step"
TRY = "conveyor.try"
OUTCOME = "conveyor.outcome"
PROVIDER = "conveyor.provider"
ERROR_TYPE = "error.type"
BATCH_COUNT = "messaging.batch.message_count"
MESSAGE_ID = "messaging.message.id"
FAILED = frozenset({TimelineEvent.FAULT, TimelineEvent.UNKNOWN, TimelineEvent.PARKED})


class Traces:
    """Makes spans of what has happened, and hands them to whoever takes them."""

    def __init__(self, tracer: Tracer, ambient: Ambient, messaging: str) -> None:
        """`messaging` names the queues' system as the semantic conventions do."""
        self.tracer = tracer
        self._ambient = ambient
        self._messaging = messaging

    def now_ms(self) -> int:
        """Give the time, in milliseconds since the epoch."""
        return self._ambient.now_ms()

    def begin(self, *, alone: bool) -> tuple[SpanContext, SpanContext | None]:
        """Give the place of an order that is being placed here, and what that is under.

        It is `alone` where it is one of many that somebody asked for: each is a trace of its own.
        """
        parent = None if alone else CURRENT.get()
        return self.tracer.new_context(parent), parent

    def under(self, traceparent: str | None) -> SpanContext | None:
        """Give a new place under this context; None: there is none, or nobody keeps it."""
        parent = _kept(traceparent)
        return self.tracer.new_context(parent) if parent else None

    def placed(self, taken: InHand, order: Order) -> InHand:
        """Give the step that is taken its place, before it is over: its calls are under that."""
        kept = _kept(order.traceparent)
        if kept is None or taken.span is not None:
            return taken
        place = self.tracer.new_context(_parent(kept, taken.token.traceparent))
        return replace(taken, span=place)

    def take(self, it: Traced) -> None:
        """Tell what has committed."""
        match it:
            case OrderPlaced():
                self._placed(it)
            case StepTraced():
                self._step(it)
            case Happened():
                self._happened(it)

    def messaging(self, queue: str, operation: str) -> dict[str, Attribute]:
        """Give what each span about messages says."""
        return {
            "messaging.system": self._messaging,
            "messaging.operation.type": operation,
            "messaging.operation.name": operation,
            "messaging.destination.name": queue,
        }

    def received(self, queue: str, traceparents: Sequence[str], since: int) -> None:
        """Tell that these messages came together: a batch is linked to the order of each."""
        carried = [it for text in traceparents if (it := _kept(text))]
        if carried:
            attributes = self.messaging(queue, "receive") | {BATCH_COUNT: len(traceparents)}
            self.of_batch(f"receive {queue}", carried, since, attributes)

    def of_batch(
        self,
        name: str,
        links: Sequence[SpanContext],
        since: int,
        attributes: Mapping[str, Attribute],
        *,
        error: str | None = None,
    ) -> None:
        """Tell of what was done for several orders: in a trace of its own, linked to theirs.

        What was done for one alone is in its trace.
        """
        parent = links[0] if len({it.trace_id for it in links}) == 1 else None
        context = self.tracer.new_context(parent)._replace(sampled=True)
        kind = SpanKind.CLIENT
        self.tell(
            name, kind, context, parent, since, attributes=attributes, links=links, error=error
        )

    def tell(
        self,
        name: str,
        kind: SpanKind,
        context: SpanContext,
        parent: SpanContext | None,
        since: int,
        *,
        attributes: Mapping[str, Attribute],
        links: Sequence[SpanContext] = (),
        error: str | None = None,
    ) -> None:
        """Tell what is over by now, and began at `since`."""
        if context.sampled:
            ended = max(self.now_ms(), since)
            span = Span(name, kind, context, parent, since, ended, attributes, links, error)
            # What it tells of stands. Raised here, it would look as if that had failed.
            with surviving(log, "the span %r could not be handed on", name):
                self.tracer.take(span)

    def _placed(self, it: OrderPlaced) -> None:
        if context := _kept(it.traceparent):
            about = {ORDER: it.order_id, FLOW: it.flow}
            name, kind = "place order", SpanKind.INTERNAL
            self.tell(name, kind, context, it.parent, it.begun, attributes=about)

    def _step(self, it: StepTraced) -> None:
        kept = _kept(it.traceparent)
        if kept is None:
            return
        parent = _parent(kept, it.brought)
        about: dict[str, Attribute] = {
            ORDER: it.order_id,
            FLOW: it.flow,
            STEP: it.step,
            TRY: it.attempt,
            OUTCOME: it.outcome,
        }
        if it.message_id:
            about |= self.messaging(service_of(it.step), "process")
            about[MESSAGE_ID] = it.message_id
        failed = it.outcome in FAILED
        if failed:
            about[ERROR_TYPE] = it.outcome
        self.tell(
            it.step,
            SpanKind.CONSUMER if it.message_id else SpanKind.INTERNAL,
            it.span or self.tracer.new_context(parent),
            parent,
            it.begun,
            attributes=about,
            links=(it.asked,) if it.asked and it.asked.sampled else (),
            error=it.cause if failed else None,
        )

    def _happened(self, it: Happened) -> None:
        if kept := _kept(it.traceparent):
            context, about = self.tracer.new_context(kept), {ORDER: it.order_id, FLOW: it.flow}
            kind, error = SpanKind.INTERNAL, it.cause
            self.tell(it.what, kind, context, kept, it.at, attributes=about, error=error)


def _parent(kept: SpanContext, brought: str) -> SpanContext:
    carried = _kept(brought)
    return carried if carried and carried.trace_id == kept.trace_id else kept


def _kept(traceparent: str | None) -> SpanContext | None:
    context = read_traceparent(traceparent) if traceparent else None
    return context if context is not None and context.sampled else None
