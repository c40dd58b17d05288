"""Simulated riders, as each one's row says: prompt, slow, refusing, silent, or worse.

A vanishing one accepts and is never heard of again; a straying one is lost with the food.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import orjson
import sqlalchemy as sa

from conveyor.core.ambient import Ambient
from conveyor.core.tables import orders
from conveyor.core.transaction import Database, Tx
from conveyor.core.untyped import SelectedRow
from conveyor.flows.food.restaurants import store as restaurants
from conveyor.flows.food.riders.dispatch import Dispatch
from conveyor.flows.food.riders.model import OfferState, Point
from conveyor.flows.food.riders.store import offers, offers_live, riders
from conveyor.flows.food.simulated.crowd import MAX_DEEDS, REFUSING, SILENT, SLOW, SLOWNESS, Crowd

VANISHING = "vanishing"
STRAYING = "straying"

_o, _r = offers.c, riders.c
_pace_ago = sa.bindparam("pace_ago", type_=sa.BigInteger)
_long_ago = sa.bindparam("long_ago", type_=sa.BigInteger)
_DUE = (
    sa.select(_o.order_id, _o.merchant, _o.rider, _o.state, _r.simulated, orders.c.body)
    .join(riders, sa.and_(_r.merchant == _o.merchant, _r.id == _o.rider))
    .join(orders, orders.c.id == _o.order_id)
    .where(
        offers_live,
        _r.load > 0,
        _r.simulated.not_in(["", SILENT]),
        sa.or_(
            sa.and_(
                _o.state == OfferState.OPEN,
                _o.changed_at <= sa.case((_r.simulated == SLOW, _long_ago), else_=_pace_ago),
            ),
            sa.and_(
                _o.state == OfferState.ACCEPTED,
                _r.simulated != VANISHING,
                _o.changed_at <= _pace_ago,
            ),
            sa.and_(
                _o.state == OfferState.PICKED_UP,
                _r.simulated != STRAYING,
                _o.changed_at <= _pace_ago,
            ),
        ),
    )
    .limit(MAX_DEEDS)
)


class SimulatedRiders(Crowd):
    """All simulated riders of a system."""

    def __init__(
        self,
        database: Database,
        ambient: Ambient,
        dispatch: Dispatch,
        *,
        pace_seconds: float,
        deadline_seconds: float,
    ) -> None:
        """`pace_seconds` is how long they take for each thing, unless they are slow."""
        super().__init__(ambient)
        self._database = database
        self._dispatch = dispatch
        self._pace_ms = round(pace_seconds * 1000)
        self._slow_ms = round(deadline_seconds * SLOWNESS * 1000)

    async def due(self, now_ms: int) -> Sequence[Awaitable[object]]:
        """See `Crowd`."""
        times = {"pace_ago": now_ms - self._pace_ms, "long_ago": now_ms - self._slow_ms}
        found = await self._database.read(lambda tx: tx.execute(_DUE, times).all())
        return [self._do(row) for row in found]

    def _do(self, due: SelectedRow) -> Awaitable[str]:
        if due.state != OfferState.OPEN:
            return self._ride(due)
        if due.simulated == REFUSING:
            return self._dispatch.decline(due.merchant, due.rider, due.order_id)
        return self._dispatch.accept(due.merchant, due.rider, due.order_id)

    async def _ride(self, due: SelectedRow) -> str:
        """Go where the food is, or where it is to be, and say so."""
        whose = (due.merchant, due.rider)
        place = await self._database.read(lambda tx: _goal(tx, due))
        if place is not None:
            await self._dispatch.move(*whose, place)
        if due.state == OfferState.ACCEPTED:
            return await self._dispatch.picked_up(*whose, due.order_id)
        return await self._dispatch.delivered(*whose, due.order_id)


def _goal(tx: Tx, due: SelectedRow) -> Point | None:
    order = orjson.loads(due.body)
    if due.state == OfferState.PICKED_UP:
        drop_off = order.get("drop_off")
        return Point(drop_off["latitude"], drop_off["longitude"]) if drop_off else None
    restaurant = restaurants.find(tx, due.merchant, order.get("restaurant", ""))
    return Point(restaurant.latitude, restaurant.longitude) if restaurant else None
