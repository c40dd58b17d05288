"""Stock and shipments.

Where they are already, an earlier version has made them, among the tables of Conveyor itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_stock()
    _create_shipments()


def _create_stock() -> None:
    op.create_table(
        "reservations",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('reserved', 'released', 'sold')", name="reservations_state"),
        sa.PrimaryKeyConstraint("order_id", "line"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "stock",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("sold", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("available + reserved + sold = received", name="stock_adds_up"),
        sa.CheckConstraint(
            "available >= 0 AND reserved >= 0 AND sold >= 0", name="stock_not_negative"
        ),
        sa.PrimaryKeyConstraint("merchant", "sku"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )


def _create_shipments() -> None:
    op.create_table(
        "shipments",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("carrier_key", sa.Text(), nullable=False),
        sa.Column("tracking", sa.Text(), nullable=False),
        sa.Column("enquiries", sa.Integer(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('requested', 'dispatched', 'delivered', 'rejected')", name="shipments_state"
        ),
        sa.PrimaryKeyConstraint("order_id"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
