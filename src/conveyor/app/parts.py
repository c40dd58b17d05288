"""What a system is put together from: a test hands in its own of any of these."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from conveyor.app.timekeeper import Timekeeper
from conveyor.messaging.ambient import Ambient
from conveyor.messaging.queue import Queues
from conveyor.messaging.transaction import Database
from conveyor.services.payments import ports as payment_ports
from conveyor.services.shipping import ports as shipping_ports


class PaymentProvider(payment_ports.PaymentProvider, Protocol):
    """A provider, and how it is connected to."""

    async def open(self) -> None:
        """Connect."""
        ...


class Carrier(shipping_ports.Carrier, Protocol):
    """A carrier, and what of it runs in our processes."""

    async def open(self) -> None:
        """Connect."""
        ...

    async def run(self, stop: asyncio.Event) -> None:
        """Tell of arrivals until `stop` is set."""
        ...

    async def shipped_twice(self) -> list[str]:
        """For the audit: orders of which more than one parcel was not lost."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What is handed in: a test hands in its own of any of these."""

    ambient: Ambient
    database: Database
    ledger: Database
    queues: Queues
    timekeeper: Timekeeper | None = None
    """What keeps the clock right; None: the clock that was handed in needs nobody."""
    provider: PaymentProvider | None = None
    carrier: Carrier | None = None
    """Outside actors; None: the simulated ones, on the ledger."""
