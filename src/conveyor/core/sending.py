"""The spans of messages that are sent together: one for each order, and one for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from conveyor.core.outbox import OwedToken
from conveyor.core.traces import BATCH_COUNT, ERROR_TYPE, ORDER, Traces
from conveyor.core.tracing import SpanContext, SpanKind, read_traceparent


class Sending:
    """Messages on their way to one queue, for as long as the `with` block lasts.

    Each carries a context of its own, in its order's trace. What is sent alone is one span; of what
    is sent together each message has one, and the request is linked to all of them.
    """

    def __init__(self, traces: Traces | None, queue: str, rows: Sequence[OwedToken]) -> None:
        """Give each a context, where there are traces; nothing is sent yet."""
        self._traces = traces
        self._queue = queue
        self._rows = rows
        self._contexts: dict[str, SpanContext] = {}
        if traces is not None:
            self._since = traces.now_ms()
            places = ((row.order_id, traces.under(row.traceparent)) for row in rows)
            self._contexts = {order_id: place for order_id, place in places if place}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if self._traces is not None and self._contexts:
            self._tell(self._traces, type(error).__name__ if error else None)

    def carried(self, row: OwedToken) -> str:
        """Give what the message of an order carries; '' for nothing."""
        context = self._contexts.get(row.order_id)
        return context.traceparent if context else row.traceparent or ""

    def _tell(self, traces: Traces, error: str | None) -> None:
        alone = len(self._rows) == 1
        failed = {} if error is None else {ERROR_TYPE: error}
        for row in self._rows:
            if row.order_id in self._contexts:
                self._message(traces, row, error if alone else None, alone=alone)
        if not alone:
            about = traces.messaging(self._queue, "send") | {BATCH_COUNT: len(self._rows)} | failed
            links = list(self._contexts.values())
            traces.of_batch(f"send {self._queue}", links, self._since, about, error=error)

    def _message(self, traces: Traces, row: OwedToken, error: str | None, *, alone: bool) -> None:
        operation = "send" if alone else "create"
        about = traces.messaging(self._queue, operation) | {ORDER: row.order_id}
        if error is not None:
            about[ERROR_TYPE] = error
        traces.tell(
            f"{operation} {self._queue}",
            SpanKind.PRODUCER,
            self._contexts[row.order_id],
            read_traceparent(row.traceparent),
            self._since,
            attributes=about,
            error=error,
        )
