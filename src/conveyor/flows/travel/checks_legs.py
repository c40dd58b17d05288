"""Journeys: what is held or booked for one is what it ordered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from conveyor.checks import Examination, Finding, Page, on_page
from conveyor.checks.bodies import Placed, placed_on
from conveyor.core.body import read_body
from conveyor.core.transaction import Tx
from conveyor.flows.travel.bookings.model import BookingState, Journey, Wanted
from conveyor.flows.travel.bookings.tables import bookings

HOLD = "bookings.hold"
_b = bookings.c
_BOOKED = sa.select(_b.order_id, _b.leg, _b.resource, _b.quantity, _b.state).where(
    on_page(_b.order_id)
)


class LegsAsOrdered:
    """Goes through the journeys of a page, leg by leg."""

    def __init__(self, examination: Examination) -> None:
        """Nothing is found yet."""
        flows = examination.flows.values()
        self._flows = {f.key for f in flows if any(line.name == HOLD for line in f.steps)}
        self._finding = Finding(
            "journey_as_ordered", 5, "What is held or booked for a journey is what it ordered"
        )
        self.findings = (self._finding,)

    def take(self, tx: Tx, page: Page, _now: int) -> None:
        """Judge the orders of one page."""
        found = placed_on(tx, page, self._flows)
        booked: dict[str, list[tuple[int, str, int, str]]] = defaultdict(list)
        for order_id, *leg in tx.execute(_BOOKED, page.bounds).all():
            booked[order_id].append(tuple(leg))
        wrong = [it.id for it in found if not _agree(it, booked[it.id])]
        self._finding.add(len(found), len(wrong), wrong)


def _agree(order: Placed, booked: Sequence[tuple[int, str, int, str]]) -> bool:
    legs = [leg.wanted for leg in read_body(order.raw_body, Journey).legs]
    for leg, resource, quantity, _ in booked:
        if leg >= len(legs) or legs[leg] != Wanted(resource, quantity):
            return False
    completed = [BookingState.BOOKED] * len(legs)
    return not order.went_through or [state for *_, state in booked] == completed
