"""The travel flow: bookings of flights and hotel nights, strictly in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from conveyor.core.engine import Engine
from conveyor.core.step import StepHandler
from conveyor.core.supervision import Loop, wait_for_stop
from conveyor.extension import (
    Check,
    Demo,
    Dependencies,
    Examination,
    Extension,
    Fact,
    Order,
    PageCheck,
    Routes,
    Running,
    Service,
    Tx,
)
from conveyor.flows import TRAVEL
from conveyor.flows.travel.archiving import ARCHIVING
from conveyor.flows.travel.body import TravelBody
from conveyor.flows.travel.bookings.granting import expire
from conveyor.flows.travel.bookings.model import Terms, said
from conveyor.flows.travel.bookings.steps import booking_steps
from conveyor.flows.travel.bookings.store import bookings_of
from conveyor.flows.travel.bookings.tables import bookings
from conveyor.flows.travel.tables import metadata
from conveyor.settings import Settings

SERVICE = "bookings"
EXPIRY_SECONDS = 2.0
"""How often holds that have expired are looked for."""

log = logging.getLogger(__name__)


def booking_terms(settings: Settings) -> Terms:
    """Give the terms that a deployment has chosen."""
    return Terms(settings.booking_hold_seconds, settings.booking_wait_seconds)


class Expiry:
    """Ends holds that have expired; any number of processes may."""

    def __init__(self, engine: Engine, terms: Terms) -> None:
        self._engine = engine
        self._terms = terms

    async def run(self, stop: asyncio.Event) -> None:
        """Look every `EXPIRY_SECONDS`, until told to stop."""
        while not stop.is_set():
            said = "holds could not expire now; it is tried again"
            with self._engine.gate.surviving(log, said):
                while await self.expire_once() and not stop.is_set():
                    pass
            await wait_for_stop(stop, EXPIRY_SECONDS)

    async def expire_once(self) -> int:
        """End one page of holds; gives how many."""
        now_ms = self._engine.ambient.now_ms()
        return await self._engine.database.run(lambda tx: expire(tx, self._terms, now_ms))


def _bookings(given: Dependencies) -> Mapping[str, StepHandler]:
    return booking_steps(booking_terms(given.settings))


def _loops(running: Running, services: Collection[str]) -> Iterable[tuple[str, Loop]]:
    """Let holds expire."""
    if SERVICE in services:
        yield "expiry of holds", Expiry(running.engine, booking_terms(running.settings)).run


def _facts(tx: Tx, order: Order) -> Iterable[Fact]:
    if legs := bookings_of(tx, order.id).values():
        told = ", ".join(f"{said(leg.resource, leg.quantity)} {leg.state}" for leg in legs)
        data = [
            {"resource": leg.resource, "quantity": leg.quantity, "state": leg.state} for leg in legs
        ]
        yield Fact("bookings", f"Bookings: {told}.", {"legs": data})


def _checks() -> Iterable[Check]:
    from conveyor.flows.travel.checks import CHECKS

    return CHECKS


def _page_checks(examination: Examination) -> Iterable[PageCheck]:
    from conveyor.flows.travel.checks_legs import LegsAsOrdered

    yield LegsAsOrdered(examination)


def _routes() -> Iterable[Routes]:
    from conveyor.flows.travel import codes, http, schemas

    tags = {"resources": "Flights and hotel nights that can be booked."}
    yield Routes(http.router, tags, schemas.BODIES, codes.TravelCode)


def _commands() -> Iterable[Any]:
    from conveyor.flows.travel.cli import COMMANDS

    return COMMANDS


def _demo() -> Demo:
    from conveyor.flows.travel.demo import TravelDemo

    return TravelDemo()


EXTENSION = Extension(
    name="travel",
    tables=metadata,
    migrations="conveyor.flows.travel:migrations",
    flows=(TRAVEL,),
    services=(Service(SERVICE, _bookings, fifo=True),),
    bodies={TRAVEL.name: TravelBody},
    loops=_loops,
    facts=_facts,
    belongings=(bookings,),
    archiving=ARCHIVING,
    checks=_checks,
    page_checks=_page_checks,
    routes=_routes,
    commands=_commands,
    demo=_demo,
)
