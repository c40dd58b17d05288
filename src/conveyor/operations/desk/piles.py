"""Piles: parked orders that stopped at one step of a flow for one cause."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.routing_slip import flow_name
from conveyor.core.tables import orders, parked
from conveyor.core.transaction import Tx
from conveyor.operations.desk.causes import folded

KEY_LENGTH = 16

_CAUSES = (
    sa.select(
        orders.c.flow,
        parked.c.step,
        parked.c.cause,
        sa.func.count(),
        sa.func.min(parked.c.parked_at),
        sa.func.max(parked.c.parked_at),
    )
    .select_from(parked)
    .join(orders, orders.c.id == parked.c.order_id)
    .group_by(orders.c.flow, parked.c.step, parked.c.cause)
)


@dataclass(frozen=True, slots=True)
class Pile:
    """So many parked orders of one cause; the first was parked at `oldest`, the last at `newest`.

    `cause` has `#` for whatever differs. `key` is the same for as long as the pile is there.
    """

    key: str
    flow: str
    step: str
    cause: str
    count: int
    oldest: int
    newest: int


def key_of(flow: str, step: str, cause: str) -> str:
    """Give the key of the pile in which an order lies; `flow` is its flow's name."""
    said = "\0".join((flow, step, folded(cause)))
    return hashlib.sha256(said.encode()).hexdigest()[:KEY_LENGTH]


def piles(tx: Tx, merchant: str | None) -> list[Pile]:
    """Sort a merchant's parked orders, or everybody's, into piles: the largest first."""
    query = _CAUSES if merchant is None else _CAUSES.where(orders.c.merchant == merchant)
    found: dict[str, Pile] = {}
    for of, step, cause, count, oldest, newest in tx.execute(query):
        flow = flow_name(of)
        key = key_of(flow, step, cause)
        had = found.get(key)
        found[key] = Pile(
            key,
            flow,
            step,
            folded(cause),
            int(count) + (had.count if had else 0),
            min(int(oldest), had.oldest) if had else int(oldest),
            max(int(newest), had.newest) if had else int(newest),
        )
    return sorted(found.values(), key=lambda pile: (-pile.count, pile.key))


def find_pile(tx: Tx, key: str, merchant: str | None) -> Pile | None:
    """Give a pile; None: nothing of it is parked any more."""
    return next((pile for pile in piles(tx, merchant) if pile.key == key), None)
