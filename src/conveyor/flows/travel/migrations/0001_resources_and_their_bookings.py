"""Resources and their bookings.

Where they are already, an earlier version has made them, among the tables of Conveyor itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_resources()
    _create_bookings()


def _create_resources() -> None:
    op.create_table(
        "resources",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=False),
        sa.Column("overbooking", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("booked", sa.BigInteger(), nullable=False),
        sa.Column("waiting", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "capacity >= 0 AND held >= 0 AND booked >= 0 AND waiting >= 0",
            name="resources_not_negative",
        ),
        sa.CheckConstraint("overbooking BETWEEN 0 AND 100", name="resources_overbooking"),
        sa.CheckConstraint(
            "(held + booked) * 100 <= capacity * (100 + overbooking)",
            name="resources_within_limit",
        ),
        sa.PrimaryKeyConstraint("merchant", "name"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )


def _create_bookings() -> None:
    op.create_table(
        "bookings",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("leg", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "state IN ('held', 'waiting', 'booked', 'expired', 'released', 'refused')",
            name="bookings_state",
        ),
        sa.PrimaryKeyConstraint("order_id", "leg"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_index(
        "bookings_waiting",
        "bookings",
        ["merchant", "resource", "number"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
        if_not_exists=True,
    )
    op.create_index(
        "bookings_held",
        "bookings",
        ["until"],
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
        if_not_exists=True,
    )
