"""What the log tells of orders: each fault, each that is parked, each that has settled.

A transaction may be run again, so that a line is written only once it has committed: see `commit`
in `relay`. Nothing of what an order's customer has said of themselves is in any of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextvars import ContextVar
from logging import LogRecord
from typing import Any, NamedTuple

from conveyor.core.delivery import Delivery
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.personal import Personal
from conveyor.core.tracing import trace_id_of
from conveyor.core.transaction import Tx

log = logging.getLogger("conveyor.orders")

TRACE_ID: ContextVar[str] = ContextVar("trace_id", default="")
"""The trace in which something happens, '' for none: each line of the log carries it."""

TRACE = "trace_id"
"""The name by which a line tells it; what happens to an order is told in its own."""

_SETTLED = "order %s (%s) is %s after %.1f s%s"
_FAULT = "order %s: %s fails, try %d: %s"
_PARKED = "order %s is parked at %s, after %d tries: %s"


class Line(NamedTuple):
    """A line to be written after the commit; `facts` stand beside its words, for a machine."""

    level: int
    words: str
    args: tuple[object, ...]
    facts: dict[str, Any]


def settled(
    tx: Tx, personal: Personal, order: Order, *, status: OrderStatus, reason: str, now_ms: int
) -> None:
    """Tell that an order has come to its end.

    Why it was refused is a word of a step. Why it was cancelled is in its story alone: people write
    that, and name others in it.
    """
    seconds = (now_ms - order.placed_at) / 1000
    why = personal.hide(order, reason) if status == OrderStatus.REFUSED else ""
    facts = {
        "event": "settled",
        "order": order.id,
        "flow": order.flow,
        "status": status.value,
        "seconds": seconds,
        "reason": why,
        TRACE: trace_id_of(order.traceparent),
    }
    said = (order.id, order.flow, status.value, seconds, why and f": {why}")
    tx.tell(Line(logging.INFO, _SETTLED, said, facts))


def tells_settled() -> bool:
    """Whether anybody wants to know."""
    return log.isEnabledFor(logging.INFO)


def fault(delivery: Delivery, cause: str, *, unknown: bool) -> None:
    """Tell that a step was taken and came to nothing, or to nobody knows what."""
    facts = _facts(delivery, "unknown" if unknown else "fault", cause)
    said = (delivery.order.id, delivery.step, delivery.tries, cause)
    delivery.tx.tell(Line(logging.WARNING, _FAULT, said, facts))


def parked(delivery: Delivery, cause: str, trace: str) -> None:
    """Tell that an order waits for an operator; `trace` is '' where nothing was raised."""
    facts = _facts(delivery, "parked", cause) | {"traceback": trace}
    said = (delivery.order.id, delivery.step, delivery.tries, cause)
    delivery.tx.tell(Line(logging.ERROR, _PARKED, said, facts))


def _facts(delivery: Delivery, event: str, cause: str) -> dict[str, Any]:
    return {
        "event": event,
        "order": delivery.order.id,
        "flow": delivery.order.flow,
        "step": delivery.step,
        "try": delivery.tries,
        "cause": cause,
        TRACE: trace_id_of(delivery.order.traceparent),
    }


def write(lines: Iterable[Line]) -> None:
    """Write what a transaction told: it has committed."""
    for line in lines:
        if log.isEnabledFor(line.level):
            # Not by `log.log`, which looks through the stack for who has called it.
            record = LogRecord(log.name, line.level, "", 0, line.words, line.args, None)
            record.__dict__.update(line.facts)
            log.handle(record)
