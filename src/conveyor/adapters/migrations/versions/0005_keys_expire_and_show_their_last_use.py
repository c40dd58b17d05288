"""API keys may expire, and show when they were last used."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = ("expires_at", "last_used_at")


def upgrade() -> None:
    for name in COLUMNS:
        moment: sa.Column[int] = sa.Column(name, sa.BigInteger(), nullable=True)
        op.add_column("api_keys", moment)


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("api_keys", name)
