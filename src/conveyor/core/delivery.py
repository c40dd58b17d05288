"""One order's turn in a transaction: the step it is to take, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conveyor.core import timeline
from conveyor.core.group_context import GroupContext
from conveyor.core.in_hand import InHand
from conveyor.core.measures import StepEnded
from conveyor.core.order import Order
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.tracing import Happened, SpanContext, StepTraced
from conveyor.core.transaction import Tx

OUTCOMES = {
    it: str(it)
    for it in (
        TimelineEvent.DONE,
        TimelineEvent.AWAITING,
        TimelineEvent.AGAIN,
        TimelineEvent.REFUSED,
        TimelineEvent.FAULT,
        TimelineEvent.UNKNOWN,
        TimelineEvent.PARKED,
    )
}
"""What a step comes to, among the rest that happens to an order: as plain text, soon counted."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An order with its token in our hands, or with an answer.

    `tries` counts the tries at its step, this one too; 0 for an answer. Of `traceless` receives of
    its message, this one too, no fault is on record. `by_queue`: a message brought it. `in_hand`
    is its token, `asked` the span of whoever gave the answer.
    """

    tx: Tx
    context: GroupContext
    order: Order
    step: str
    tries: int = 0
    traceless: int = 1
    by_queue: bool = False
    in_hand: InHand | None = None
    asked: SpanContext | None = None

    def note(self, event: TimelineEvent, detail: Mapping[str, Any] | None = None) -> None:
        """Write a line of the order's timeline, and count what a step came to."""
        if outcome := OUTCOMES.get(event):
            self.tx.measure(StepEnded(self.order.flow, self.step, outcome))
            if self.order.traceparent:
                self.trace(outcome, str(detail.get("cause", "")) if detail else "")
        timeline.note(
            self.tx,
            self.order.id,
            self.order.version,
            self.context.now.ms,
            event,
            step=self.step,
            attempt=self.tries,
            detail=detail,
        )

    def trace(self, outcome: str, cause: str = "") -> None:
        """Tell what the step came to, where its order is in a trace."""
        order, taken = self.order, self.in_hand
        if not order.traceparent:
            return
        if outcome == TimelineEvent.PARKED and taken is None:
            at = self.context.now.ms
            self.tx.measure(Happened(order.traceparent, order.id, order.flow, outcome, at, cause))
            return
        self.tx.measure(
            StepTraced(
                order.traceparent,
                order.id,
                order.flow,
                self.step,
                self.tries,
                outcome,
                cause,
                taken.taken_at if taken else self.context.now.ms,
                taken.token.traceparent if taken else "",
                taken.span if taken else None,
                self.asked,
                taken.message.message_id if taken and taken.message else "",
            )
        )
