"""What must stay of an order that goes into the archive: what somebody cooks or carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from conveyor.core.statements import one_of
from conveyor.extension import Archiving, Tx
from conveyor.flows.food.restaurants.model import UNDER_WAY
from conveyor.flows.food.restaurants.store import tickets
from conveyor.flows.food.riders.model import LIVE
from conveyor.flows.food.riders.store import offers

_COOKED = sa.select(tickets.c.order_id).where(
    one_of(tickets.c.order_id, "ids"), tickets.c.state.in_(sorted(UNDER_WAY))
)
_CARRIED = sa.select(offers.c.order_id).where(
    one_of(offers.c.order_id, "ids"), offers.c.state.in_(sorted(LIVE))
)


def _holds(tx: Tx, order_ids: Sequence[str]) -> Mapping[str, str]:
    asked = {"ids": list(order_ids)}
    cooked = dict.fromkeys(tx.execute(_COOKED, asked).scalars(), "is being cooked")
    return cooked | dict.fromkeys(tx.execute(_CARRIED, asked).scalars(), "is with a rider")


ARCHIVING = Archiving(_holds)
