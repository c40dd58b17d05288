"""Calls keep what was asked, who took them up, and until when they may take effect."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

GRANT_MS = 90_000
"""Calls of before had no deadline; this is what is granted to one of now."""

ADDED: dict[str, tuple[sa.types.TypeEngine[Any], str]] = {
    "may_run_until": (sa.BigInteger(), f"intended_at + {GRANT_MS}"),
    "taken": (sa.Integer(), "1"),
    "request": (sa.Text(), "''"),  # not known: it is prepared anew
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _copy()
    else:
        _alter()


def _alter() -> None:
    for name, (kind, of) in ADDED.items():
        op.add_column("calls", sa.Column(name, kind, nullable=True))
        op.execute(f"UPDATE calls SET {name} = {of}")  # noqa: S608 - made of `ADDED` alone
        op.alter_column("calls", name, nullable=False)


def _copy() -> None:
    op.rename_table("calls", "calls_before")
    op.create_table(
        "calls",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("intended_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        *(sa.Column(name, kind, nullable=False) for name, (kind, _) in ADDED.items()),
        sa.PrimaryKeyConstraint("order_id", "step", "attempt"),
        sqlite_with_rowid=False,
    )
    kept = "order_id, step, attempt, state, intended_at, ended_at"
    added = ", ".join(of for _, of in ADDED.values())
    op.execute(f"INSERT INTO calls SELECT {kept}, {added} FROM calls_before")  # noqa: S608 - made of column names
    op.drop_table("calls_before")


def downgrade() -> None:
    with op.batch_alter_table("calls") as calls:
        for name in ADDED:
            calls.drop_column(name)
