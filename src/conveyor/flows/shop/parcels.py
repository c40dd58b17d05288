"""Our shipments against the carrier's own parcels, each side looked through for the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

import sqlalchemy as sa

from conveyor.checks import MAX_EXAMPLES, Examined, Finding, Page, on_page
from conveyor.core.order_status import OrderStatus
from conveyor.core.statements import one_of
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.flows.shop.shipping.ports import Carrier, OpenLedger, ParcelOnRecord, Statement
from conveyor.flows.shop.shipping.store import shipments

DAY_MS = 86_400_000
"""By how much our clock and the carrier's may differ."""
NOT_OPEN = "the carrier's books cannot be read through"
_o, _s = orders.c, shipments.c
_SHIPPED = (
    sa.select(_s.order_id, _s.carrier_key, _s.tracking)
    .join(orders, _o.id == _s.order_id)
    .where(on_page(_s.order_id), _o.status == OrderStatus.COMPLETED)
)
_STATUSES = sa.select(_o.id, _o.status).where(one_of(_o.id, "ids"))


class ShipmentsAndParcels:
    """Holds both sides against one another, as far as the carrier tells of its own."""

    def __init__(self, carrier: Carrier, now: int) -> None:
        """`now` is in milliseconds; nothing is read yet."""
        self._carrier = carrier
        self._now = now
        self._arrived = Finding(
            "completed_has_arrived", 1, "Of a completed order the carrier has a parcel that arrived"
        )
        self._undone = Finding(
            "undone_ships_nothing", 1, "The carrier has no parcel of an order that was undone"
        )
        self._once = Finding(
            "shipped_once", 1, "The carrier has at most one parcel of an order that is not lost"
        )
        self.findings = (self._arrived, self._undone, self._once)

    async def go_through(self, examined: Examined, pages: Iterable[Page]) -> None:
        """Look for the parcels of page after page, then for the orders of all parcels."""
        if isinstance(self._carrier, Statement):
            for page in pages:
                await self._add_page(examined, page, self._carrier)
        else:
            self._arrived.figures["not_compared"] = "the carrier gives no statement"
        if isinstance(self._carrier, OpenLedger):
            await self._look_back(examined, self._carrier)
        else:
            self._undone.figures["not_compared"] = NOT_OPEN
            self._once.figures["not_compared"] = NOT_OPEN

    async def _add_page(self, examined: Examined, page: Page, carrier: Statement) -> None:
        """Look for the parcels of a page's completed orders."""
        rows = await examined.read(lambda tx: tx.execute(_SHIPPED, page.bounds).all())
        parcels = await carrier.statement([key for _, key, _ in rows]) if rows else {}
        arrived = {parcel[:3] for parcel in parcels.values() if self._has_arrived(parcel)}
        missing = sorted(
            order_id for order_id, key, tracking in rows if (key, order_id, tracking) not in arrived
        )
        self._arrived.add(len(rows), len(missing), missing)

    def _has_arrived(self, parcel: ParcelOnRecord) -> bool:
        at = parcel.arrives_at
        return at is not None and (parcel.told or at <= self._now + DAY_MS)

    async def _look_back(self, examined: Examined, carrier: OpenLedger) -> None:
        """Look for the orders of the carrier's parcels; those that are lost count for nothing."""
        of_order: Counter[str] = Counter()
        after = ""
        while parcels := await carrier.parcels_after(after):
            ids = sorted({it.order_id for it in parcels if it.arrives_at is not None})
            of_order.update(it.order_id for it in parcels if it.arrives_at is not None)
            wrong = await examined.read(partial(_undone, order_ids=ids))
            self._undone.add(len(ids), len(wrong), wrong)
            after = parcels[-1].key
        twice = sorted(order_id for order_id, count in of_order.items() if count > 1)
        self._once.add(len(of_order), len(twice), twice[:MAX_EXAMPLES])


def _undone(tx: Tx, order_ids: Sequence[str]) -> list[str]:
    found = {row.id: row.status for row in tx.execute(_STATUSES, {"ids": list(order_ids)}).all()}
    return [i for i in order_ids if found.get(i) in {OrderStatus.CANCELLED, OrderStatus.REFUSED}]
