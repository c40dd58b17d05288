"""What the renewal flow adds: subscriptions, their dunning, and the scan for what is due."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import ClassVar

from conveyor.app.addition import Addition
from conveyor.app.renewal_scan import Scan
from conveyor.bodies.renewal import RenewalBody
from conveyor.flows import RENEWAL
from conveyor.messaging.routing_slip import Flow
from conveyor.messaging.step import AnyStep
from conveyor.messaging.supervision import Loop
from conveyor.services.orders.model import OrderBody
from conveyor.services.payments.ports import Payer
from conveyor.services.subscriptions.dunning import Dunning
from conveyor.services.subscriptions.steps import STEPS

SERVICE = "subscriptions"


class Renewal(Addition):
    """The share of the system that renews subscriptions."""

    flows: ClassVar[tuple[Flow, ...]] = (RENEWAL,)
    services: ClassVar[Mapping[str, bool]] = {SERVICE: False}
    bodies: ClassVar[Mapping[str, type[OrderBody]]] = {RENEWAL.name: RenewalBody}

    def steps(self) -> Mapping[str, AnyStep]:
        """Give the steps of subscriptions."""
        return STEPS

    def payers(self) -> Mapping[str, Payer]:
        """A renewal that is declined goes to dunning."""
        return {RENEWAL.name: Dunning()}

    def loops(self, services: Collection[str]) -> Iterable[tuple[str, Loop]]:
        """Scan for what is due, every so often."""
        seconds = self.settings.renewal_scan_seconds
        if SERVICE in services and seconds:
            yield "renewals", partial(Scan(self.wired.engine).run, every_seconds=seconds)
