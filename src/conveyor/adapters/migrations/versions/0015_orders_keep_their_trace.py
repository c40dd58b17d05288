"""An order keeps in which trace it was placed, for all that happens to it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("traceparent", sa.Text()))


def downgrade() -> None:
    op.drop_column("orders", "traceparent")
