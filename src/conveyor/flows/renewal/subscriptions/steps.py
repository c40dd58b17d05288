"""The steps of subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conveyor.core.order import Order
from conveyor.core.outcome import Done, Outcome, Park
from conveyor.core.rfc3339 import iso
from conveyor.core.step import LocalStep, Now, StepHandler
from conveyor.core.transaction import Tx
from conveyor.flows.renewal.subscriptions import dunning, renewals
from conveyor.flows.renewal.subscriptions.model import RenewalState
from conveyor.flows.renewal.subscriptions.renewals import ClaimedPeriod


class Extend(LocalStep):
    """Gives the period that was paid; an order that turns back instead ends its subscription."""

    def __init__(self) -> None:
        super().__init__(extend, gather=renewals.gather)

    def turned_back(self, tx: Tx, order: Order, now: Now) -> None:
        """See `dunning.turned_back`."""
        dunning.turned_back(tx, order)


def extend(tx: Tx, order: Order, now: Now) -> Outcome:
    """Move the end of the subscription on by the period that the order has paid."""
    found = renewals.of_order(tx, order.id)
    if found is None or found.renewal.state != RenewalState.OPEN:
        return Park("it was charged, and has no period that it could extend")
    until = found.renewal.ends_at
    renewals.change(
        tx, found, found.subscription.extended(found.plan, until), RenewalState.EXTENDED
    )
    return Done(_facts(found) | {"paid_until": iso(until)})


def retract(tx: Tx, order: Order, now: Now) -> Outcome:
    """Compensate `extend`: the period is taken back, and the subscription with it.

    Unless it has gone on since: then it keeps what came later.
    """
    found = renewals.of_order(tx, order.id)
    if found is None or found.renewal.state != RenewalState.EXTENDED:
        return Done({"nothing_to": "retract"})
    subscription, renewal = found.subscription, found.renewal
    last = subscription.period == renewal.period + 1 and subscription.due_at is not None
    changed = subscription.retracted(renewal.starts_at) if last else subscription
    renewals.change(tx, found, changed, RenewalState.RETRACTED)
    return Done(_facts(found))


def _facts(found: ClaimedPeriod) -> dict[str, Any]:
    return {"subscription": found.renewal.subscription, "period": found.renewal.period}


STEPS: Mapping[str, StepHandler] = {
    "subscriptions.extend": Extend(),
    "subscriptions.retract": LocalStep(retract, gather=renewals.gather),
}
