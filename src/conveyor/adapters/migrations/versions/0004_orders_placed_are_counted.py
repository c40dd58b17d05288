"""Orders that are placed are counted apart from the orders."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "placed_counts",
        sa.Column("connection", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connection"),
    )
    op.execute("INSERT INTO placed_counts SELECT -1, count(*) FROM orders")


def downgrade() -> None:
    op.drop_table("placed_counts")
