"""The steps of the service `refunds`: check, ask a person, give the credit; and taking it back."""

from __future__ import annotations

from collections.abc import Mapping

from conveyor.extension import (
    Awaiting,
    AwaitingStep,
    Done,
    LocalStep,
    Now,
    Order,
    Outcome,
    Refused,
    StepHandler,
    Tx,
    body_of,
    find_order,
)
from refund_request import store
from refund_request.model import Decision, RefundBody, refusal

DECISION_SECONDS = 14 * 86_400.0


def check(tx: Tx, request: Order, now: Now) -> Outcome:
    """Refuse what no person need look at, and see that it is asked for only once."""
    body = body_of(request, RefundBody)
    if reason := refusal(request, find_order(tx, body.order, request.merchant)):
        return Refused(reason)
    if store.is_claimed(tx, body.order):
        return Refused("a refund of this order was asked for before")
    store.claim(tx, body.order, request)
    return Done()


def release(tx: Tx, request: Order, now: Now) -> Outcome:
    """Undo `check`: it may be asked for again."""
    store.release(tx, request)
    return Done()


def ask(tx: Tx, request: Order, now: Now) -> Outcome:
    """Wait for a person; the deadline is kept by the database and outlives any restart."""
    return Awaiting("a person's decision", DECISION_SECONDS)


def decide(tx: Tx, request: Order, decision: Decision, now: Now) -> Outcome:
    """Take the person's answer. It is called once an order, however often it is sent."""
    if decision.approved:
        return Done({"by": decision.by})
    return Refused(f"turned down by {decision.by}")


def expire(tx: Tx, request: Order, now: Now) -> Outcome:
    """Nobody answered in time."""
    return Refused("nobody decided within two weeks")


def credit(tx: Tx, request: Order, now: Now) -> Outcome:
    """Give the money back, in the transaction that moves the order on: never twice."""
    store.grant(tx, request, now.ms)
    return Done({"amount": request.total, "currency": request.currency})


STEPS: Mapping[str, StepHandler] = {
    "refunds.check": LocalStep(check),
    "refunds.release": LocalStep(release),
    "refunds.decide": AwaitingStep(ask, decide, answer=Decision, overdue=expire),
    "refunds.credit": LocalStep(credit),
}
