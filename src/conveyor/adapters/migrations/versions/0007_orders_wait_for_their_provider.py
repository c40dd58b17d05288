"""What is owed says for which provider it waits."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

WAITS = sa.text("waits_for != ''")


def upgrade() -> None:
    waits_for: sa.Column[str] = sa.Column(
        "waits_for", sa.Text(), nullable=False, server_default=sa.text("''")
    )
    op.add_column("outbox", waits_for)
    op.create_index(
        "outbox_waiting", "outbox", ["waits_for"], sqlite_where=WAITS, postgresql_where=WAITS
    )


def downgrade() -> None:
    op.drop_index("outbox_waiting", "outbox")
    op.drop_column("outbox", "waits_for")
