"""One order as it is now: itself, what has happened to it, and whether it has moved on."""

from __future__ import annotations

from typing import NamedTuple

from conveyor.commerce.orders import store
from conveyor.core import timeline
from conveyor.core.engine import Engine
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.timeline import Entry
from conveyor.core.transaction import Tx


class State(NamedTuple):
    """What differs once anything has happened to an order; `entries` is the last one's number."""

    version: int
    status: OrderStatus
    updated_at: int
    entries: int


async def find_order(engine: Engine, order_id: str, merchant: str | None) -> Order | None:
    """Give an order; with a merchant, only if it is theirs."""
    return await engine.database.read(lambda tx: store.find(tx, order_id, merchant))


async def timeline_of(engine: Engine, order_id: str, merchant: str | None) -> list[Entry] | None:
    """Give an order's timeline, oldest first; None: there is no such order of this merchant."""

    def read(tx: Tx) -> list[Entry] | None:
        return timeline.of_order(tx, order_id) if store.find(tx, order_id, merchant) else None

    return await engine.database.read(read)


async def state_of(engine: Engine, order_id: str, merchant: str | None) -> State | None:
    """Say how it is, cheaply enough to be asked each second; None: there is no such order."""

    def read(tx: Tx) -> State | None:
        order = store.find(tx, order_id, merchant)
        if order is None:
            return None
        last = timeline.last_number(tx, order_id)
        return State(order.version, order.status, order.updated_at, last)

    return await engine.database.read(read)
