"""Opens the simulated carrier on its own ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from conveyor.adapters.simulated.opening import open_ledger
from conveyor.core.ambient import Ambient
from conveyor.flows.shop.simulated.carrier import SimulatedCarrier
from conveyor.settings import Settings

CARRIER_FILE = "carrier.db"


@asynccontextmanager
async def open_carrier(settings: Settings, ambient: Ambient) -> AsyncIterator[SimulatedCarrier]:
    """Open it for as long as a process lives."""
    async with open_ledger(settings, CARRIER_FILE) as ledger:
        after = settings.delivery_delay_seconds
        carrier = SimulatedCarrier(ledger, ambient, deliver_after_seconds=after)
        await carrier.open()
        yield carrier
        await carrier.close()
