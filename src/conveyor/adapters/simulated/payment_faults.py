"""How the simulated payment provider can be broken on purpose, whatever the payment method is."""

from __future__ import annotations

import asyncio

from conveyor.adapters.faults import Fault
from conveyor.core.errors import NotAppliedError

SLOW_SECONDS = 4.0


class PaymentFaults:
    """The faults of one provider; none is on at first.

    Those of a request are decided where the ledger is, since a key that has its answer keeps it.
    """

    def __init__(self) -> None:
        self.slow = Fault(
            "payments-slow",
            "Payments are slow",
            does=f"The provider takes {SLOW_SECONDS:g} seconds for each answer.",
            watch="Orders are longer in work at authorize and capture, and come to their end all "
            "the same.",
        )
        self.declined = Fault(
            "payments-declined",
            "Cards are declined",
            does="The provider declines every new payment.",
            watch="New orders are refused, and what was done for them is undone. A subscription is "
            "tried again on another day.",
        )
        self.down = Fault(
            "payments-down",
            "Payments are down",
            does="The provider answers nobody.",
            watch="After some failed calls it is paused, and orders wait without using up their "
            "tries; one at a time probes it. Once it is back, all go on within a minute.",
        )
        self.failing = Fault(
            "payments-failing",
            "Payments fail",
            does="The provider answers every request with an error.",
            watch="Each order tries some times and is parked. Once this is off, redrive them from "
            "Dead letters.",
        )

    @property
    def all(self) -> tuple[Fault, ...]:
        """Give them all."""
        return (self.slow, self.declined, self.down, self.failing)

    async def before_request(self) -> None:
        """Let a request wait. Raises `NotAppliedError` where nobody is to be reached."""
        if self.slow.strikes():
            await asyncio.sleep(SLOW_SECONDS)
        self.before_question()

    def before_question(self) -> None:
        """Raise `NotAppliedError` where nobody is to be reached."""
        if self.down.strikes():
            raise NotAppliedError("no connection to the provider")
