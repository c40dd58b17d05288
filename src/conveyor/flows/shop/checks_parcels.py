"""Our shipments against the carriers' own parcels, each side looked through for the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from conveyor.checks import MAX_EXAMPLES, Examined, Finding, Page, on_page
from conveyor.checks.columns import went_through
from conveyor.core.attempts import called_in, summed_up
from conveyor.core.bound import Bound
from conveyor.core.order_status import UNDONE
from conveyor.core.statements import one_of
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.flows.shop.shipping.ports import Carrier, OpenLedger, ParcelOnRecord, Statement
from conveyor.flows.shop.shipping.store import shipments

DAY_MS = 86_400_000
"""By how much our clock and the carrier's may differ."""
NOT_OPEN = "the carrier's books cannot be read through"
_o, _s = orders.c, shipments.c
_STATUSES = sa.select(_o.id, _o.status).where(one_of(_o.id, "ids"))
Shipped = tuple[str, str, str]
"""An order, and its parcel's key and tracking number."""


class ShipmentsAndParcels:
    """Holds both sides against one another, as far as the carriers tell of their own."""

    def __init__(self, carriers: Bound[Carrier], services: Collection[str], now: int) -> None:
        """`services` are those that call them, `now` is in milliseconds; nothing is read yet."""
        self._carriers = carriers
        self._shipped = _shipped(services)
        self._now = now
        self._untold = 0
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
        carriers = self._carriers.by_name.values()
        if any(isinstance(it, Statement) for it in carriers):
            for page in pages:
                await self._add_page(examined, page)
        else:
            self._arrived.figures["not_compared"] = "the carrier gives no statement"
        if self._untold:
            self._arrived.figures["left_out_without_a_statement"] = self._untold
        of_order: Counter[str] = Counter()
        for carrier in carriers:
            if isinstance(carrier, OpenLedger):
                await self._look_back(examined, carrier, of_order)
            else:
                self._undone.figures["not_compared"] = NOT_OPEN
                self._once.figures["not_compared"] = NOT_OPEN
        twice = sorted(order_id for order_id, count in of_order.items() if count > 1)
        self._once.add(len(of_order), len(twice), twice[:MAX_EXAMPLES])

    async def _add_page(self, examined: Examined, page: Page) -> None:
        """Look for the parcels of a page's completed orders, each at whom the order called."""
        rows = await examined.read(lambda tx: tx.execute(self._shipped, page.bounds).all())
        by: defaultdict[str, list[Shipped]] = defaultdict(list)
        for order_id, key, tracking, merchant, whom in rows:
            by[self._carriers.name_for(merchant, whom)].append((order_id, key, tracking))
        for name, theirs in by.items():
            carrier = self._carriers.by_name.get(name)
            if carrier is not None and isinstance(carrier, Statement):
                await self._add(carrier, theirs)
            else:
                self._untold += len(theirs)

    async def _add(self, carrier: Statement, shipped: Sequence[Shipped]) -> None:
        parcels = await carrier.statement([key for _, key, _ in shipped])
        arrived = {parcel[:3] for parcel in parcels.values() if self._has_arrived(parcel)}
        missing = sorted(
            order_id
            for order_id, key, tracking in shipped
            if (key, order_id, tracking) not in arrived
        )
        self._arrived.add(len(shipped), len(missing), missing)

    def _has_arrived(self, parcel: ParcelOnRecord) -> bool:
        at = parcel.arrives_at
        return at is not None and (parcel.told or at <= self._now + DAY_MS)

    async def _look_back(
        self, examined: Examined, carrier: OpenLedger, of_order: Counter[str]
    ) -> None:
        """Look for the orders of a carrier's parcels; those that are lost count for nothing."""
        after = ""
        while parcels := await carrier.parcels_after(after):
            ids = sorted({it.order_id for it in parcels if it.arrives_at is not None})
            of_order.update(it.order_id for it in parcels if it.arrives_at is not None)
            wrong = await examined.read(partial(_undone, order_ids=ids))
            self._undone.add(len(ids), len(wrong), wrong)
            after = parcels[-1].key


def _shipped(services: Collection[str]) -> sa.Select[Any]:
    tried = summed_up(services, on_page)
    called = called_in(tried, _s.order_id)
    return (
        sa.select(_s.order_id, _s.carrier_key, _s.tracking, _o.merchant, called)
        .join(orders, _o.id == _s.order_id)
        .outerjoin(tried, tried.c.order_id == _s.order_id)
        .where(on_page(_s.order_id), went_through())
    )


def _undone(tx: Tx, order_ids: Sequence[str]) -> list[str]:
    found = {row.id: row.status for row in tx.execute(_STATUSES, {"ids": list(order_ids)}).all()}
    return [i for i in order_ids if found.get(i) in UNDONE]
