"""A flow like the shop's, as deployments have it: version 1, both versions, version 2 alone."""

from __future__ import annotations

from pydantic import BaseModel

from conveyor.extension import (
    Again,
    Awaiting,
    AwaitingStep,
    Done,
    Extension,
    Flow,
    LocalStep,
    Now,
    Order,
    Outcome,
    Service,
    Step,
    StepHandler,
    Tx,
)

WRAPPING_SECONDS = 600.0


class Wrapped(BaseModel):
    """What whoever wraps says."""

    paper: str


def _wrap(_tx: Tx, _order: Order, _now: Now) -> Outcome:
    return Awaiting("the wrapping", WRAPPING_SECONDS)


def _wrapped(_tx: Tx, _order: Order, answer: Wrapped, _now: Now) -> Outcome:
    return Done({"paper": answer.paper})


def _remind(_tx: Tx, _order: Order, _now: Now) -> Outcome:
    return Again("nobody has wrapped it yet")


def _done(_tx: Tx, _order: Order, _now: Now) -> Outcome:
    return Done()


FIRST = Flow(
    name="gift",
    version=1,
    steps=(
        Step("payments.authorize", undo="payments.void"),
        Step("inventory.reserve", undo="inventory.release"),
        Step("gifts.wrap"),
        Step("payments.capture", undo="payments.refund"),
        Step("shipping.ship", also=("inventory.sell",)),
        Step("orders.complete"),
    ),
    cancel_until="payments.capture",
)
SECOND = Flow(
    name="gift",
    version=2,
    steps=(*FIRST.steps[:2], Step("gifts.engrave"), *FIRST.steps[2:]),
    cancel_until="payments.capture",
)

WRAP: dict[str, StepHandler] = {
    "gifts.wrap": AwaitingStep(_wrap, _wrapped, answer=Wrapped, overdue=_remind)
}
ENGRAVE: dict[str, StepHandler] = {"gifts.engrave": LocalStep(_done)}

BEFORE = Extension("gifts", (FIRST,), (Service("gifts", WRAP),))
BOTH = Extension("gifts", (FIRST, SECOND), (Service("gifts", WRAP | ENGRAVE),))
TOO_SOON = Extension("gifts", (SECOND,), (Service("gifts", WRAP | ENGRAVE),))
