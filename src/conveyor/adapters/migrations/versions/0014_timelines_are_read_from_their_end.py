"""Timelines are read from their end, on PostgreSQL: between two numbers, by a coarse index."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INDEX = "timeline_by_number"


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"CREATE INDEX {INDEX} ON timeline USING brin (id) WITH (autosummarize = on)")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"DROP INDEX {INDEX}")
