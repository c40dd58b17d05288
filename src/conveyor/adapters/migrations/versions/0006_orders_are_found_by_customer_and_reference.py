"""Orders are found by their customer and by their reference."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAMED = sa.text("reference != ''")


def upgrade() -> None:
    op.create_index("orders_by_customer", "orders", ["customer", "merchant", "id"])
    op.create_index(
        "orders_by_reference",
        "orders",
        ["reference", "merchant", "id"],
        sqlite_where=NAMED,
        postgresql_where=NAMED,
    )


def downgrade() -> None:
    op.drop_index("orders_by_reference", "orders")
    op.drop_index("orders_by_customer", "orders")
