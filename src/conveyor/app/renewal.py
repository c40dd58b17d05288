"""The renewal flow: subscriptions, their dunning, and the scan for what is due."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial

from conveyor.app.renewal_scan import Scan
from conveyor.bodies.renewal import RenewalBody
from conveyor.extension import Extension, Running, Service
from conveyor.flows import RENEWAL
from conveyor.messaging.supervision import Loop
from conveyor.services.subscriptions.dunning import Dunning
from conveyor.services.subscriptions.steps import STEPS

SERVICE = "subscriptions"


def _loops(running: Running, services: Collection[str]) -> Iterable[tuple[str, Loop]]:
    """Scan for what is due, every so often."""
    seconds = running.settings.renewal_scan_seconds
    if SERVICE in services and seconds:
        yield "renewals", partial(Scan(running.engine).run, every_seconds=seconds)


EXTENSION = Extension(
    name="renewal",
    flows=(RENEWAL,),
    services=(Service(SERVICE, STEPS),),
    bodies={RENEWAL.name: RenewalBody},
    payers={RENEWAL.name: Dunning()},  # a renewal that is declined goes to dunning
    loops=_loops,
)
