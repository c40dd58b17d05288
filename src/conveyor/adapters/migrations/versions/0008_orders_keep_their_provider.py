"""A call says who was called: an order that began with one keeps to it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # '' for calls of before: whoever is bound now.
    provider: sa.Column[str] = sa.Column(
        "provider", sa.Text(), nullable=False, server_default=sa.text("''")
    )
    op.add_column("calls", provider)


def downgrade() -> None:
    op.drop_column("calls", "provider")
