"""What operators did is written down: who, from where, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TEXTS = (
    "action",
    "order_id",
    "subject",
    "merchant",
    "key_id",
    "key_label",
    "person",
    "place",
    "why",
    "detail",
)


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "operator_actions",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in TEXTS),
        sa.PrimaryKeyConstraint("id"),
    )
    of_order = sa.text("order_id != ''")
    op.create_index(
        "operator_actions_by_order",
        "operator_actions",
        ["order_id", "id"],
        sqlite_where=of_order,
        postgresql_where=of_order,
    )
    op.create_index("operator_actions_by_time", "operator_actions", ["at"])


def downgrade() -> None:
    op.drop_table("operator_actions")
