"""Conditions by which a flow's demonstration finds orders that have something to tell."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.core.order_status import OrderStatus
from conveyor.core.tables import orders


def paid(status: OrderStatus, method: str) -> sa.ColumnElement[bool]:
    """Whether an order of this status names this method."""
    return sa.and_(orders.c.status == status, orders.c.body.contains(f'"{method}"'))


def completed_among(
    column: sa.ColumnElement[str], condition: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    """Whether an order was completed, and is among those that `column` names."""
    ids = sa.select(column).where(condition)
    return sa.and_(orders.c.status == OrderStatus.COMPLETED, orders.c.id.in_(ids))
