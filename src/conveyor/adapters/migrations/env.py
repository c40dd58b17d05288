"""What Alembic runs for every command: see `upgrade`, which hands in the connection."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("declared"),
    version_table=context.config.attributes["revisions"].version_table,
    render_as_batch=True,  # SQLite changes a column by copying the table
)
with context.begin_transaction():
    context.run_migrations()
