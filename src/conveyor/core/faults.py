"""When a step raises: the attempt is noted and the message comes back, or the order is parked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from conveyor.core import order_log, timeline
from conveyor.core.applying_outcomes import stop
from conveyor.core.delivery import Delivery
from conveyor.core.disposition import PARKED, Disposition, Rest
from conveyor.core.order import Order
from conveyor.core.outcome import Park
from conveyor.core.place import place_of
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.core.waiting import expect, owe_again

Faults = Mapping[tuple[str, int], int]


def faults_of(tx: Tx, received: Sequence[tuple[Order, int]]) -> Faults:
    """Count the faults on record of these orders, each with how often its message was received.

    There are none while an order expects what it was owed when it moved, and its message comes for
    the first time; else there may be some, whose message was another one.
    """
    may_have = {o.id for o, count in received if count > 1 or o.expected_at != o.updated_at}
    return timeline.faults(tx, sorted(may_have))


def tries(known: Faults, order: Order, receive_count: int) -> tuple[int, int, bool]:
    """Give which try this is, of how many receives no fault is on record, and if there were any.

    A try counts by its fault, whatever the queue has counted: a receive may be nobody's fault.
    What rides came without a message, so that none was received.
    """
    faults = known.get((order.id, order.version), 0)
    return faults + 1, receive_count - faults, receive_count > 0


def guard(delivery: Delivery, work: Callable[[], Disposition]) -> Disposition:
    """Do an order's work in an isolated group: what it raises becomes this order's fault.

    What the database is to blame for is nobody's: then the whole group is run again.
    """
    try:
        with delivery.tx.savepoint():
            return work()
    except Exception as error:
        if delivery.tx.unable(error):
            raise
        return fault(delivery, error)  # a bug in one order's step is its own fault


def fault(
    delivery: Delivery,
    error: Exception,
    event: TimelineEvent = TimelineEvent.FAULT,
    *,
    last_try: bool = False,
) -> Disposition:
    """Let the message come back after a rest; park the order when that was the last try.

    An order whose flow is not installed here is never parked: nobody knows where it is.
    """
    context, order = delivery.context, delivery.order
    personal = context.registry.personal
    cause = personal.cause(order, error)
    delivery.note(event, {"cause": cause})
    order_log.fault(delivery, cause, unknown=event == TimelineEvent.UNKNOWN)
    known = order.flow in context.registry.flows
    if known and (last_try or context.retries.exhausted(delivery.tries)):
        told = replace(delivery, in_hand=None)  # the step is, with its fault
        return stop_here(told, cause, personal.trace(order, error))
    rest = context.retries.rest_seconds(delivery.tries, context.random)
    due_at = context.now.ms + rest * 1000
    if delivery.by_queue:
        expect(delivery, due_at)
    else:
        owe_again(delivery, due_at)
    return Rest(rest)


def stop_here(delivery: Delivery, cause: str, trace: str = "") -> Disposition:
    """Park the order where it is: not by its step's own decision."""
    stop(delivery, Park(cause, trace=trace), place_of(delivery.order))
    return PARKED
