"""The renewal flow: subscriptions, their dunning, and the scan for what is due."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from typing import Any

from conveyor.core.supervision import Loop
from conveyor.core.transaction import Tx
from conveyor.extension import Check, Demo, Extension, Kept, OfCustomer, Routes, Running, Service
from conveyor.flows import RENEWAL
from conveyor.flows.renewal.archiving import ARCHIVING
from conveyor.flows.renewal.body import RenewalBody
from conveyor.flows.renewal.scan import Scan
from conveyor.flows.renewal.subscriptions.dunning import Dunning
from conveyor.flows.renewal.subscriptions.steps import STEPS
from conveyor.flows.renewal.subscriptions.tables import renewals
from conveyor.flows.renewal.tables import metadata

SERVICE = "subscriptions"


def _loops(running: Running, services: Collection[str]) -> Iterable[tuple[str, Loop]]:
    """Scan for what is due, every so often."""
    seconds = running.settings.renewal_scan_seconds
    if SERVICE in services and seconds:
        yield "renewals", partial(Scan(running.engine).run, every_seconds=seconds)


def _checks() -> Iterable[Check]:
    from conveyor.flows.renewal.checks import CHECKS

    return CHECKS


def _routes() -> Iterable[Routes]:
    from conveyor.flows.renewal import codes, http_renewals, http_subscriptions, schemas

    tags = {"subscriptions": "What is paid for again and again."}
    yield Routes(http_subscriptions.router, tags, schemas.BODIES, codes.RenewalCode)
    yield Routes(http_renewals.router, {"renewals": "Charging what is due."})


def _commands() -> Iterable[Any]:
    from conveyor.flows.renewal.cli import COMMANDS

    return COMMANDS


def _demo() -> Demo:
    from conveyor.flows.renewal.demo import RenewalDemo

    return RenewalDemo()


def _forget(tx: Tx, whose: OfCustomer) -> Iterable[Kept]:
    from conveyor.flows.renewal.forgetting import forget

    return forget(tx, whose)


EXTENSION = Extension(
    name="renewal",
    tables=metadata,
    migrations="conveyor.flows.renewal:migrations",
    flows=(RENEWAL,),
    services=(Service(SERVICE, STEPS),),
    bodies={RENEWAL.name: RenewalBody},
    payers={RENEWAL.name: Dunning()},  # a renewal that is declined goes to dunning
    loops=_loops,
    belongings=(renewals,),
    archiving=ARCHIVING,
    checks=_checks,
    routes=_routes,
    commands=_commands,
    demo=_demo,
    forget=_forget,
)
