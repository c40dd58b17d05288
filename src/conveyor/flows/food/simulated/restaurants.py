"""Simulated restaurants: prompt, slow, refusing or silent, as each one's row says."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import sqlalchemy as sa

from conveyor.core.ambient import Ambient
from conveyor.core.transaction import Database
from conveyor.core.untyped import SelectedRow
from conveyor.flows.food.restaurants.counter import Counter
from conveyor.flows.food.restaurants.model import TicketState
from conveyor.flows.food.restaurants.store import restaurants, tickets, tickets_awaiting
from conveyor.flows.food.simulated.crowd import MAX_DEEDS, PROMPT, REFUSING, SLOW, SLOWNESS, Crowd

MINUTES = 10
"""The preparation time that they promise."""
REASON = "sold out"

_t, _r = tickets.c, restaurants.c
_pace_ago = sa.bindparam("pace_ago", type_=sa.BigInteger)
_answers = sa.or_(
    sa.and_(_r.simulated.in_([PROMPT, REFUSING]), _t.asked_at <= _pace_ago),
    sa.and_(_r.simulated == SLOW, _t.asked_at <= sa.bindparam("long_ago", type_=sa.BigInteger)),
)
_DUE = (
    sa.select(_t.order_id, _t.merchant, _t.restaurant, _t.state, _r.simulated)
    .join(restaurants, sa.and_(_r.merchant == _t.merchant, _r.id == _t.restaurant))
    .where(
        tickets_awaiting,
        _r.simulated != "",
        sa.or_(
            sa.and_(_t.state == TicketState.ASKED, _answers),
            sa.and_(_t.state == TicketState.ACCEPTED, _t.answered_at <= _pace_ago),
        ),
    )
    .limit(MAX_DEEDS)
)


class SimulatedRestaurants(Crowd):
    """All simulated restaurants of a system."""

    def __init__(
        self,
        database: Database,
        ambient: Ambient,
        counter: Counter,
        *,
        pace_seconds: float,
        deadline_seconds: float,
    ) -> None:
        """`pace_seconds` is how long they take for each thing, unless they are slow."""
        super().__init__(ambient)
        self._database = database
        self._counter = counter
        self._pace_ms = round(pace_seconds * 1000)
        self._slow_ms = round(deadline_seconds * SLOWNESS * 1000)

    async def due(self, now_ms: int) -> Sequence[Awaitable[object]]:
        """See `Crowd`."""
        times = {"pace_ago": now_ms - self._pace_ms, "long_ago": now_ms - self._slow_ms}
        found = await self._database.read(lambda tx: tx.execute(_DUE, times).all())
        return [self._do(row) for row in found]

    def _do(self, due: SelectedRow) -> Awaitable[str]:
        which = (due.merchant, due.restaurant, due.order_id)
        if due.state == TicketState.ACCEPTED:
            return self._counter.ready(*which)
        if due.simulated == REFUSING:
            return self._counter.reject(*which, REASON)
        return self._counter.accept(*which, MINUTES)
