"""Who stands in for those whom our own flows call: what is generic here knows no flow's port."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.core.ambient import Ambient
from conveyor.core.transaction import Database
from conveyor.extension import PAYMENTS, Port
from conveyor.flows.shop.carrier import CARRIER, WEBHOOK, webhook_keys
from conveyor.flows.shop.simulated.carrier import SimulatedCarrier
from conveyor.settings import Settings
from conveyor.testing.calling import CarrierPort, ProviderPort

if TYPE_CHECKING:
    from conveyor.system.installation import Installation
    from conveyor.system.parts import Parts
    from conveyor.testing.process import Process


def _provider(settings: Settings, ambient: Ambient, books: Database) -> Any:
    latency = settings.payment_latency_seconds
    return SimulatedPaymentProvider(books, ambient, latency_seconds=latency)


def _carrier(settings: Settings, ambient: Ambient, books: Database) -> Any:
    after = settings.delivery_delay_seconds
    return SimulatedCarrier(books, ambient, deliver_after_seconds=after)


def _keys(process: Process) -> Any:
    return webhook_keys(process.world.settings)


WITH_BOOKS: dict[Port[Any], tuple[str, Callable[[Settings, Ambient, Database], Any]]] = {
    PAYMENTS: ("provider.db", _provider),
    CARRIER: ("carrier.db", _carrier),
}
"""The file of each, and who it is on it."""
IN_A_PROCESS: dict[Port[Any], Callable[[Process], Any]] = {
    PAYMENTS: ProviderPort,
    CARRIER: CarrierPort,
    WEBHOOK: _keys,
}


def with_books(
    installed: Installation,
    settings: Settings,
    ambient: Ambient,
    books: Callable[[str], Database],
) -> dict[Port[Any], Any]:
    """Give those for the ports that are installed; `books` opens a file of theirs."""
    return {
        port: make(settings, ambient, books(file))
        for port, (file, make) in WITH_BOOKS.items()
        if port in installed.ports
    }


async def open_books(parts: Parts) -> None:
    """Make the tables of those who are simulated, where they are missing."""
    for it in parts.ports.values():
        if isinstance(it, SimulatedPaymentProvider | SimulatedCarrier):
            await it.open()


def in_a_process(process: Process) -> dict[Port[Any], Any]:
    """Give the ways of a simulated process to those outside whom its installation has ports to."""
    installed = process.world.installed.ports
    return {port: way(process) for port, way in IN_A_PROCESS.items() if port in installed}
