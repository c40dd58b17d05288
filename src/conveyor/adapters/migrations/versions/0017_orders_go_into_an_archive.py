"""Settled orders go into files, and out of the database, which knows where each is."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "archive_pages",
        sa.Column("page", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.Column("archived_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("page"),
        sqlite_with_rowid=False,
    )
    names = ("page", "merchant", "flow", "customer", "reference")
    op.create_table(
        "archived_orders",
        sa.Column("order_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in names),
        sa.PrimaryKeyConstraint("order_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("archived_orders_by_merchant", "archived_orders", ["merchant", "order_id"])
    op.create_index("archived_orders_by_customer", "archived_orders", ["customer", "order_id"])
    named = sa.text("reference != ''")
    op.create_index(
        "archived_orders_by_reference",
        "archived_orders",
        ["reference", "order_id"],
        sqlite_where=named,
        postgresql_where=named,
    )
    op.create_table(
        "archive_drafts",
        sa.Column("file", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("file"),
        sqlite_with_rowid=False,
    )
    key = ("of", "merchant", "name", "what")
    op.create_table(
        "archived_sums",
        *(sa.Column(name, sa.Text(), nullable=False) for name in key),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*key),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("archived_sums")
    op.drop_table("archive_drafts")
    op.drop_table("archived_orders")
    op.drop_table("archive_pages")
