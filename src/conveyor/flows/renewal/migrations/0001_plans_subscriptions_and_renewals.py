"""Plans, subscriptions and renewals.

Where they are already, an earlier version has made them, among the tables of Conveyor itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_plans()
    _create_renewals()


def _create_plans() -> None:
    op.create_table(
        "plans",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("trial_days", sa.Integer(), nullable=False),
        sa.Column("retry_days", sa.Text(), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("afterwards", sa.Text(), nullable=False),
        sa.CheckConstraint("price >= 0 AND months > 0", name="plans_price_and_months"),
        sa.PrimaryKeyConstraint("merchant", "id"),
        if_not_exists=True,
    )
    op.create_table(
        "subscriptions",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("next_plan", sa.Text(), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("new_card", sa.Boolean(), nullable=False),
        sa.Column("anchor", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("paid_until", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("past_due_since", sa.BigInteger(), nullable=True),
        sa.Column("cancel_at_end", sa.Boolean(), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant", "id"),
        postgresql_with={"fillfactor": 75},
        if_not_exists=True,
    )
    op.create_index(
        "subscriptions_due",
        "subscriptions",
        ["merchant", "due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
        if_not_exists=True,
    )


def _create_renewals() -> None:
    op.create_table(
        "renewals",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("period", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'extended', 'ended', 'retracted')", name="renewals_state"
        ),
        sa.PrimaryKeyConstraint("merchant", "subscription", "period"),
        sa.UniqueConstraint("order_id"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "renewal_controls",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("per_cent", sa.Float(), nullable=False),
        sa.Column("per_second", sa.Float(), nullable=True),
        sa.Column("free_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant"),
        if_not_exists=True,
    )
