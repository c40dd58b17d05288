"""What must stay of an order that goes into the archive, and the places that went with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from conveyor.core.statements import one_of
from conveyor.extension import Archiving, Sum, Tx
from conveyor.flows.travel.bookings.model import BookingState
from conveyor.flows.travel.bookings.tables import bookings

ASKED = "asked"
"""What is counted of a resource beside its places: how many bookings asked for them."""

_b = bookings.c
_OPEN = sa.select(_b.order_id).where(
    one_of(_b.order_id, "ids"), _b.state.in_((BookingState.HELD, BookingState.WAITING))
)
_booked = sa.func.sum(sa.case((_b.state == BookingState.BOOKED, _b.quantity), else_=0))
_BY_RESOURCE = (
    sa.select(_b.merchant, _b.resource, _booked, sa.func.count())
    .where(one_of(_b.order_id, "ids"))
    .group_by(_b.merchant, _b.resource)
)


def _holds(tx: Tx, order_ids: Sequence[str]) -> Mapping[str, str]:
    found = tx.execute(_OPEN, {"ids": list(order_ids)}).scalars()
    return dict.fromkeys(found, "holds a place, or waits for one")


def _sums(tx: Tx, order_ids: Sequence[str]) -> Iterable[Sum]:
    for merchant, resource, booked, asked in tx.execute(_BY_RESOURCE, {"ids": list(order_ids)}):
        yield Sum(bookings.name, merchant, resource, BookingState.BOOKED, int(booked))
        yield Sum(bookings.name, merchant, resource, ASKED, int(asked))


ARCHIVING = Archiving(_holds, _sums)
