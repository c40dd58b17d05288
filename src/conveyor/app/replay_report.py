"""What became of the orders of a replay, read from the database."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from conveyor.messaging.order import PARKED, REFUSED, TERMINAL
from conveyor.messaging.tables import orders
from conveyor.messaging.transaction import Tx
from conveyor.services.orders.store import idempotency
from conveyor.services.payments.store import payments

MAX_REASONS = 5
P50, P99 = 0.5, 0.99
IDS_A_QUERY = 1_000
AFTER_COLON = ";"


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Orders by status, money by currency in minor units, and times from placed to settled."""

    by_status: dict[str, int] = field(default_factory=dict)
    captured: dict[str, int] = field(default_factory=dict)
    refunded: dict[str, int] = field(default_factory=dict)
    latency_ms: dict[str, int | None] = field(default_factory=dict)
    refused_because: dict[str, int] = field(default_factory=dict)


_STILL_OPEN = sa.select(orders.c.id).where(
    orders.c.id.in_(sa.bindparam("ids", expanding=True)),
    orders.c.merchant == sa.bindparam("of_merchant"),
    orders.c.settled_at.is_(None),
    orders.c.status != PARKED,
)


def still_open(tx: Tx, order_ids: Collection[str], merchant: str) -> set[str]:
    """Give those of the merchant's orders that are neither at their end nor parked."""
    ids = list(order_ids)
    found: set[str] = set()
    for start in range(0, len(ids), IDS_A_QUERY):
        page = {"ids": ids[start : start + IDS_A_QUERY], "of_merchant": merchant}
        found.update(tx.execute(_STILL_OPEN, page).scalars())
    return found


def report(tx: Tx, merchant: str, prefix: str) -> ReplayReport:
    """Look at all of a merchant's orders whose key begins with `prefix`, which ends in a colon."""
    placed = _placed(tx, merchant, prefix)
    money = (
        sa.select(
            payments.c.currency, sa.func.sum(payments.c.captured), sa.func.sum(payments.c.refunded)
        )
        .join(placed, placed.c.id == payments.c.order_id)
        .group_by(payments.c.currency)
        .order_by(payments.c.currency)
    )
    sums = [(currency, int(c), int(r)) for currency, c, r in tx.execute(money)]
    return ReplayReport(
        by_status=_counts(tx, placed.c.status),
        captured={currency: captured for currency, captured, _ in sums},
        refunded={currency: refunded for currency, _, refunded in sums},
        latency_ms=_latency(tx, placed),
        refused_because=_counts(tx, placed.c.reason, placed.c.status == REFUSED),
    )


def _placed(tx: Tx, merchant: str, prefix: str) -> sa.Subquery:
    key: sa.ColumnElement[str] = idempotency.c.key
    if tx.dialect == "postgresql":  # whose own order of texts may pass over the colon
        key = key.collate("C")
    return (
        sa.select(
            orders.c.id,
            orders.c.status,
            orders.c.reason,
            # A parked order is settled as far as we are concerned, when it was parked.
            (sa.func.coalesce(orders.c.settled_at, orders.c.updated_at) - orders.c.placed_at).label(
                "latency"
            ),
        )
        .join(idempotency, idempotency.c.order_id == orders.c.id)
        .where(idempotency.c.merchant == merchant, key >= prefix, key < prefix[:-1] + AFTER_COLON)
        .subquery()
    )


def _counts(tx: Tx, column: Any, *conditions: Any) -> dict[str, int]:  # noqa: ANN401 - SQLAlchemy's own
    many = sa.func.count().label("many")
    query = sa.select(column, many).where(*conditions).group_by(column)
    rows = tx.execute(query.order_by(many.desc(), column).limit(MAX_REASONS + len(TERMINAL)))
    return {row[0]: int(row[1]) for row in rows}


def _latency(tx: Tx, placed: sa.Subquery) -> dict[str, int | None]:
    settled = placed.c.status.in_(sorted(TERMINAL | {PARKED}))
    count = tx.execute(sa.select(sa.func.count()).select_from(placed).where(settled)).scalar_one()
    ordered = sa.select(placed.c.latency).where(settled).order_by(placed.c.latency)

    def nearest_rank(part: float) -> int | None:
        rank = math.ceil(count * part)
        value = tx.execute(ordered.offset(max(0, rank - 1)).limit(1)).scalar()
        return None if value is None else int(value)

    return {"p50": nearest_rank(P50), "p99": nearest_rank(P99)}
