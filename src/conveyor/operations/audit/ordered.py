"""What an order's body says, held against its row, and its key against the body."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from conveyor.checks.bodies import Placed, placed_on
from conveyor.checks.columns import on_page
from conveyor.checks.finding import Finding
from conveyor.checks.pages import Page
from conveyor.commerce.orders.placement import fingerprint_of
from conveyor.commerce.orders.store import KeptKey, find_keys
from conveyor.core.archived import archived_among
from conveyor.core.statements import one_of
from conveyor.core.tables import orders
from conveyor.core.tables import timeline as entries
from conveyor.core.timeline import placed_with
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx

PRICED = ("legs", "items")
"""Fields whose members may have a price each, the first that an order has."""


_PLACED = sa.select(entries.c.order_id, entries.c.detail).where(
    on_page(entries.c.order_id), entries.c.event == TimelineEvent.PLACED, entries.c.detail != ""
)
_EDITED = sa.select(entries.c.order_id).where(
    one_of(entries.c.order_id, "ids", bounded=True), entries.c.event == TimelineEvent.EDITED
)
_THERE = sa.select(orders.c.id).where(one_of(orders.c.id, "ids"))
_OLDEST = sa.select(sa.func.min(orders.c.id))


class AsOrdered:
    """Goes through the orders of a page, body by body."""

    def __init__(self) -> None:
        """Nothing is found yet."""
        self._total = Finding(
            "total_as_ordered", 4, "Total, currency and customer are those of the body"
        )
        self._key = Finding(
            "key_of_this_order", 2, "The key that placed an order is kept, with its fingerprint"
        )
        self._vanished = Finding(
            "nobody_vanished", 1, "The order that was placed before another is there"
        )
        self.findings = (self._total, self._key, self._vanished)

    def take(self, tx: Tx, page: Page, _now: int) -> None:
        """Judge the orders of one page."""
        found = placed_on(tx, page)
        placed = {row[0]: placed_with(row[1]) for row in tx.execute(_PLACED, page.bounds).all()}
        keys = {order_id: key for order_id, (key, _) in placed.items() if key}
        kept = _kept(tx, found, keys)
        total, key = [], []  # ids of those that are wrong
        for order in found:
            body = order.body
            if order.total != _total(body) or not _is_said(order, body):
                total.append(order.id)
            if order.id in keys and not _is_of(kept.get((order.merchant, keys[order.id])), order):
                key.append(order.id)
        key = _but_for_edited(tx, key, kept, keys, found)
        before = {after for _, after in placed.values() if after} - {order.id for order in found}
        wrong = (total, key, _vanished(tx, before))
        for finding, ids in zip(self.findings, wrong, strict=True):
            finding.add(len(found), len(ids), ids)


def _total(body: Mapping[str, Any]) -> int:
    lines: Sequence[dict[str, Any]]
    lines, total = next((body[name] for name in PRICED if body.get(name)), ()), 0
    for line in lines:
        price = line.get("unit_price")
        if price is None:
            break
        total += line.get("quantity", 1) * price
    else:
        if lines:
            return total
    return int(body.get("total") or 0)


def _is_said(order: Placed, body: Mapping[str, Any]) -> bool:
    said = (body.get("currency"), body.get("reference", ""), body.get("customer", {}).get("id"))
    return said == (order.currency, order.reference, order.customer)


def _vanished(tx: Tx, placed_before: Collection[str]) -> list[str]:
    """Name those that are not there; what is older than all that is was deleted on purpose."""
    there = set(tx.execute(_THERE, {"ids": sorted(placed_before)}).scalars())
    gone = sorted(set(placed_before) - there)
    gone = sorted(set(gone) - archived_among(tx, gone))
    oldest = tx.execute(_OLDEST).scalar() if gone else None
    return [order_id for order_id in gone if oldest is not None and order_id > oldest]


def _kept(
    tx: Tx, found: Sequence[Placed], keys: Mapping[str, str]
) -> dict[tuple[str, str], KeptKey]:
    wanted: dict[str, list[str]] = defaultdict(list)
    for order in found:
        if order.id in keys:
            wanted[order.merchant].append(keys[order.id])
    return {
        (merchant, key): kept
        for merchant, some in wanted.items()
        for key, kept in find_keys(tx, merchant, some).items()
    }


def _but_for_edited(
    tx: Tx,
    wrong: Sequence[str],
    kept: Mapping[tuple[str, str], KeptKey],
    keys: Mapping[str, str],
    found: Sequence[Placed],
) -> list[str]:
    """Leave out those that an operator has changed: their keys still tell what was placed."""
    if not wrong:
        return []
    edited = set(tx.execute(_EDITED, {"ids": sorted(wrong)}).scalars())
    theirs = {it.id: kept.get((it.merchant, keys.get(it.id, ""))) for it in found}
    return [
        it for it in wrong if it not in edited or (own := theirs[it]) is None or own.order_id != it
    ]


def _is_of(kept: KeptKey | None, order: Placed) -> bool:
    return (
        kept is not None
        and kept.order_id == order.id
        and kept.fingerprint == fingerprint_of(order.raw_body)
    )
