"""A journey's lives: booked, full, waited for, paid for too late, cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.scenarios import COMPLETED, EITHER, REFUSED
from tests.flows.travel_driver import cancel, flight, hotel, journey, place, set_up, settled

from conveyor.core.order import Order
from conveyor.flows.travel.bookings.store import listing
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_settled
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import until_idle

SLOW = {"payment_latency_seconds": 1.0}


@dataclass(frozen=True)
class TravelScenario:
    """A journey by plane with a hotel, and perhaps somebody who asked for a seat before."""

    name: str
    endings: frozenset[str]
    seats: int = 1
    rooms: int = 1
    method: str = "card_ok"
    other: str = ""
    """How somebody who comes first pays, if there is such a one."""
    waitlist: bool = False
    cancel_after: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    flow: str = "travel"
    every: int = 1
    """A long life is crashed at every so many of its points."""

    def life(self, *, cancel_at_once: bool = False) -> Callable[[App], Coroutine[Any, Any, Order]]:
        """See `Lived`."""

        async def live(app: App) -> Order:
            if not await app.parts.database.read(
                lambda tx: listing(tx, "default", start="", limit=1)
            ):
                await set_up(app, UA1545=self.seats, Astoria=self.rooms)
            others = []
            if self.other:
                others = [await place(app, journey(flight(), method=self.other), "other")]
            body = journey(flight(), hotel(), method=self.method, waitlist=self.waitlist)
            order_id = await place(app, body, "mine")
            if cancel_at_once:
                await cancel(app, order_id)
            elif self.cancel_after is not None:
                await asyncio.sleep(self.cancel_after)
                await cancel(app, order_id)
            [order, *_] = await settled(app, [order_id, *others])
            await until_idle(app)
            return order

        return live

    def check(self, directory: Path) -> None:
        """See `Lived`."""
        check_tokens(directory)
        check_settled(directory)


JOURNEYS = (
    TravelScenario("booked", COMPLETED),
    TravelScenario("hotel_full", REFUSED, rooms=0),
    TravelScenario("declined", REFUSED, method="card_declined"),
    TravelScenario("waited_for", COMPLETED, other="card_declined", waitlist=True, settings=SLOW),
    TravelScenario(
        "waited_in_vain",
        REFUSED,
        other="card_ok",
        waitlist=True,
        settings={"booking_wait_seconds": 5.0},
    ),
    TravelScenario("paid_late", COMPLETED, settings={**SLOW, "booking_hold_seconds": 1.5}),
    # Whoever of the two is paid for first has it; the other one's money goes back.
    TravelScenario(
        "paid_too_late",
        REFUSED | COMPLETED,
        every=3,
        other="card_ok",
        waitlist=True,
        settings={**SLOW, "booking_hold_seconds": 1.5},
    ),
    TravelScenario(
        "cancelled_while_waiting",
        EITHER,
        other="card_declined",
        waitlist=True,
        cancel_after=0.5,
        settings=SLOW,
    ),
)
