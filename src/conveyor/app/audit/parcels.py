"""Our shipments against the carrier's own parcels, each side looked through for the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from conveyor.adapters.simulated.carrier_ledger import parcels
from conveyor.app.audit.examined import Examined
from conveyor.checks.columns import on_page
from conveyor.checks.finding import Finding
from conveyor.checks.pages import PAGE_ORDERS, Page
from conveyor.messaging.order import CANCELLED, COMPLETED, REFUSED
from conveyor.messaging.statements import one_of
from conveyor.messaging.tables import orders
from conveyor.messaging.transaction import Tx
from conveyor.services.shipping.store import shipments

DAY_MS = 86_400_000
_o, _p, _s = orders.c, parcels.c, shipments.c
_SHIPPED = (
    sa.select(_s.order_id, _s.carrier_key, _s.tracking)
    .join(orders, _o.id == _s.order_id)
    .where(on_page(_s.order_id), _o.status == COMPLETED)
)
_ARRIVED = sa.select(_p.key, _p.order_id, _p.tracking).where(
    one_of(_p.key, "keys"),
    _p.arrives_at.is_not(None),
    # What was told of has arrived, also where our clock and the carrier's are far apart.
    sa.or_(_p.told_at.is_not(None), _p.arrives_at <= sa.bindparam("now") + DAY_MS),
)
_TAKEN = (
    sa.select(_p.key, _p.order_id, _p.arrives_at)
    .where(_p.key > sa.bindparam("after"))
    .order_by(_p.key)
    .limit(PAGE_ORDERS)
)
_STATUSES = sa.select(_o.id, _o.status).where(one_of(_o.id, "ids"))


class Parcels:
    """Holds both sides against one another."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._arrived = Finding(
            "completed_has_arrived", 1, "Of a completed order the carrier has a parcel that arrived"
        )
        self._undone = Finding(
            "undone_ships_nothing", 1, "The carrier has no parcel of an order that was undone"
        )
        self.findings = (self._arrived, self._undone)

    async def go_through(self, examined: Examined, pages: Iterable[Page], now: int) -> None:
        """Look for the parcels of page after page, then for the orders of all parcels."""
        for page in pages:
            await self._add_page(examined, page, now)
        await self._look_back(examined)

    async def _add_page(self, examined: Examined, page: Page, now: int) -> None:
        """Look for the parcels of a page's completed orders."""
        rows = await examined.ours(lambda tx: tx.execute(_SHIPPED, page.bounds).all())
        bounds = {"keys": [row.carrier_key for row in rows], "now": now}
        arrived = await examined.theirs(lambda tx: set(map(tuple, tx.execute(_ARRIVED, bounds))))
        same = ((row.order_id, (row.carrier_key, row.order_id, row.tracking)) for row in rows)
        missing = sorted(order_id for order_id, parcel in same if parcel not in arrived)
        self._arrived.add(len(rows), len(missing), missing)

    async def _look_back(self, examined: Examined) -> None:
        """Look for the orders of the carrier's parcels; those that are lost count for nothing."""
        after = ""
        while True:
            rows = await examined.theirs(partial(_taken, after=after))
            ids = sorted({row.order_id for row in rows if row.arrives_at is not None})
            wrong = await examined.ours(partial(_undone, order_ids=ids))
            self._undone.add(len(ids), len(wrong), wrong)
            if len(rows) < PAGE_ORDERS:
                return
            after = rows[-1].key


def _taken(tx: Tx, after: str) -> Sequence[sa.Row[Any]]:
    return tx.execute(_TAKEN, {"after": after}).all()


def _undone(tx: Tx, order_ids: Sequence[str]) -> list[str]:
    found = {row.id: row.status for row in tx.execute(_STATUSES, {"ids": list(order_ids)}).all()}
    return [i for i in order_ids if found.get(i) in {CANCELLED, REFUSED}]
