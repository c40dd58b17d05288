"""Restaurants, riders and offers.

Where they are already, an earlier version has made them, among the tables of Conveyor itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_restaurants()
    _create_riders()
    _create_offers()


def _create_restaurants() -> None:
    op.create_table(
        "restaurants",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("hours", sa.Text(), nullable=False),
        sa.Column("max_preparing", sa.Integer(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("simulated", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("merchant", "id"),
        if_not_exists=True,
    )
    op.create_table(
        "tickets",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("restaurant", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("ready_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('asked', 'accepted', 'ready', 'collected', 'rejected', 'lapsed', "
            "'withdrawn')",
            name="tickets_state",
        ),
        sa.PrimaryKeyConstraint("order_id"),
        if_not_exists=True,
    )
    op.create_index(
        "tickets_awaiting",
        "tickets",
        ["asked_at"],
        sqlite_where=sa.text("state IN ('asked', 'accepted')"),
        postgresql_where=sa.text("state IN ('asked', 'accepted')"),
        if_not_exists=True,
    )
    op.create_index(
        "tickets_by_state", "tickets", ["merchant", "restaurant", "state"], if_not_exists=True
    )


def _create_riders() -> None:
    op.create_table(
        "fleets",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("merchant"),
        if_not_exists=True,
    )
    op.create_table(
        "riders",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("shift_until", sa.BigInteger(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("load", sa.Integer(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("simulated", sa.Text(), nullable=False),
        sa.CheckConstraint("load >= 0 AND load <= capacity", name="riders_load_in_capacity"),
        sa.PrimaryKeyConstraint("merchant", "id"),
        if_not_exists=True,
    )
    op.create_index("riders_by_place", "riders", ["merchant", "latitude"], if_not_exists=True)


def _create_offers() -> None:
    op.create_table(
        "offers",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("rider", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("metres", sa.Integer(), nullable=False),
        sa.Column("offered_at", sa.BigInteger(), nullable=False),
        sa.Column("answer_by", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'accepted', 'picked_up', 'delivered', 'declined', 'lapsed', "
            "'lost', 'withdrawn')",
            name="offers_state",
        ),
        sa.PrimaryKeyConstraint("order_id", "rider"),
        if_not_exists=True,
    )
    op.create_index(
        "offers_one_standing",
        "offers",
        ["order_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('open', 'accepted', 'picked_up', 'delivered')"),
        postgresql_where=sa.text("state IN ('open', 'accepted', 'picked_up', 'delivered')"),
        if_not_exists=True,
    )
    op.create_index(
        "offers_live",
        "offers",
        ["changed_at"],
        sqlite_where=sa.text("state IN ('open', 'accepted', 'picked_up')"),
        postgresql_where=sa.text("state IN ('open', 'accepted', 'picked_up')"),
        if_not_exists=True,
    )
    op.create_index("offers_by_rider", "offers", ["merchant", "rider", "state"], if_not_exists=True)
