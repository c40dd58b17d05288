"""Orders say whether the step that they are owed has begun."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    begun: sa.Column[bool] = sa.Column(
        "begun", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("orders", begun)
    # Those that await an answer have begun, also those that are parked since.
    op.execute(
        "UPDATE orders SET begun = TRUE WHERE ending = '' AND (status = 'awaiting' OR "
        "id IN (SELECT order_id FROM parked WHERE was = 'awaiting'))"
    )
