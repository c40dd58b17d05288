"""Dead letters are kept until somebody decides about them, and searches by a name."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLE = "dead_messages"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("message_id", sa.Text(), primary_key=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("receives", sa.BigInteger(), nullable=False),
        sa.Column("drained_at", sa.BigInteger(), nullable=False),
        sa.Column("in_hand_until", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    for name, columns, which in (
        ("undecided", ["sent_at", "message_id"], "decision = ''"),
        ("decided", ["decided_at"], "decision != ''"),
    ):
        op.create_index(
            f"{TABLE}_{name}",
            TABLE,
            columns,
            sqlite_where=sa.text(which),
            postgresql_where=sa.text(which),
        )
    op.create_table(
        "saved_searches",
        sa.Column("merchant", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("saved_searches")
    op.drop_table(TABLE)
