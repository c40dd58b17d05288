"""What is new of an order, for whoever follows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conveyor.commerce.orders import store
from conveyor.core import timeline
from conveyor.core.order import Order
from conveyor.core.order_status import TERMINAL
from conveyor.core.routing_slip import flow_name
from conveyor.core.timeline import Entry
from conveyor.core.transaction import Tx
from conveyor.system.composition import App

MAX_ENTRIES = 200
"""Entries that one look reads; a longer story takes several, without a rest."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found; `glimpse` is what passes and is kept in no timeline."""

    order: Order
    entries: list[tuple[int, Entry]]
    glimpse: Mapping[str, Any]

    @property
    def is_last(self) -> bool:
        """Whether nothing can follow."""
        return self.order.status in TERMINAL and len(self.entries) < MAX_ENTRIES


async def look(app: App, order_id: str, merchant: str | None, after: int) -> Seen | None:
    """See what follows the event of this number; None: there is no such order of this merchant."""

    def read(tx: Tx) -> Seen | None:
        order = store.find(tx, order_id, merchant)
        if order is None:
            return None
        entries = timeline.since(tx, order.id, after, MAX_ENTRIES)
        extension = app.installed.of_flow(flow_name(order.flow))
        return Seen(order, entries, extension.glimpse(tx, order) if extension else {})

    return await app.engine.database.read(read)
