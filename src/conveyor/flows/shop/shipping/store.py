"""The table of shipping and its SQL. Whoever changes a shipment holds the lock of its order."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from conveyor.core.gathered import Gathered
from conveyor.core.statements import one_of
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert
from conveyor.core.word_column import WordOf
from conveyor.flows.shop.shipping.model import Shipment, ShipmentState
from conveyor.flows.shop.tables import metadata

shipments = sa.Table(
    "shipments",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("state", WordOf(ShipmentState), nullable=False),
    sa.Column("carrier_key", sa.Text, nullable=False),
    sa.Column("tracking", sa.Text, nullable=False),
    sa.Column("enquiries", sa.Integer, nullable=False),
    sa.Column("requested_at", sa.BigInteger, nullable=False),
    sa.Column("delivered_at", sa.BigInteger),
    sa.CheckConstraint(f"state IN {tuple(map(str, ShipmentState))}", name="shipments_state"),
    sqlite_with_rowid=False,  # found by the key alone, which then is the table
    postgresql_with={"fillfactor": 50},  # as for orders
)

_this = shipments.c.order_id == sa.bindparam("of_order")
_to_tracking = sa.bindparam("to_tracking", type_=sa.Text)
_of_this_parcel = sa.or_(shipments.c.tracking == "", shipments.c.tracking == _to_tracking)
# Delivered is final: a late answer of the carrier does not take it back, unless what was said to
# be delivered before we knew its number proves to be another parcel.
_is_delivered = sa.and_(shipments.c.state == ShipmentState.DELIVERED, _of_this_parcel)


def _request(insert: DialectInsert) -> sa.Executable:
    row = insert(shipments).values(
        state=ShipmentState.REQUESTED, carrier_key="", tracking="", enquiries=0, delivered_at=None
    )
    request: sa.Executable = row.on_conflict_do_nothing(index_elements=[shipments.c.order_id])
    return request


_REQUEST = PerDialect(_request)
_FIND = sa.select(shipments).where(one_of(shipments.c.order_id, "orders"))
_ANSWERED = (
    sa.update(shipments)
    .where(_this)
    .values(
        state=sa.case(
            (_is_delivered, shipments.c.state), else_=sa.bindparam("to_state", type_=sa.Text)
        ),
        carrier_key=sa.bindparam("to_key"),
        tracking=_to_tracking,
        delivered_at=sa.case(
            (_is_delivered, shipments.c.delivered_at),
            else_=sa.bindparam("to_delivered_at", type_=sa.BigInteger),
        ),
    )
)
_DELIVERED = (
    sa.update(shipments)
    .where(_this, shipments.c.state != ShipmentState.DELIVERED, _of_this_parcel)
    .values(
        state=ShipmentState.DELIVERED,
        tracking=_to_tracking,
        delivered_at=sa.bindparam("to_delivered_at"),
    )
)
_ENQUIRIES = sa.update(shipments).where(_this).values(enquiries=sa.bindparam("to_enquiries"))


def _read(tx: Tx, ids: Sequence[str]) -> dict[str, Shipment]:
    return {row.order_id: Shipment(*row) for row in tx.execute(_FIND, {"orders": ids}).all()}


_GATHERED = Gathered(_read)


def shipment_of(tx: Tx, order_id: str) -> Shipment | None:
    """Give the shipment of an order, gathered or read; None before it was asked for."""
    return _GATHERED.get(tx, order_id)


def gather(tx: Tx, order_ids: Sequence[str]) -> None:
    """Read the shipments of these orders once, for `shipment_of`."""
    _GATHERED.gather(tx, order_ids)


def note_request(tx: Tx, order_id: str, now_ms: int) -> None:
    """Write that the carrier is about to be asked; harmless when that is written already."""
    tx.later(_REQUEST, {"order_id": order_id, "requested_at": now_ms})


def note_dispatch(tx: Tx, order_id: str, key: str, tracking: str, delivered_at: int | None) -> None:
    """Write that the carrier has it, under `key`; with a time, that it has arrived as well."""
    row = {"of_order": order_id, "to_key": key, "to_tracking": tracking}
    state = ShipmentState.DISPATCHED if delivered_at is None else ShipmentState.DELIVERED
    tx.later(_ANSWERED, row | {"to_state": state, "to_delivered_at": delivered_at})


def note_rejection(tx: Tx, order_id: str, key: str) -> None:
    """Write that the carrier will not take it."""
    row = {"of_order": order_id, "to_key": key, "to_tracking": ""}
    tx.later(_ANSWERED, row | {"to_state": ShipmentState.REJECTED, "to_delivered_at": None})


def note_delivery(tx: Tx, order_id: str, tracking: str, now_ms: int) -> None:
    """Write that the carrier confirmed the delivery, whether or not the order awaits that yet.

    Harmless twice, and for a parcel that is known not to be the order's. A confirmation may
    overtake the carrier's own answer to us: the step that records that answer then finds the
    shipment delivered, and awaits nothing.
    """
    tx.later(_DELIVERED, {"of_order": order_id, "to_tracking": tracking, "to_delivered_at": now_ms})


def count_enquiries(tx: Tx, order_id: str, enquiries: int) -> None:
    """Write how often the carrier has been asked about an overdue shipment."""
    tx.later(_ENQUIRIES, {"of_order": order_id, "to_enquiries": enquiries})
