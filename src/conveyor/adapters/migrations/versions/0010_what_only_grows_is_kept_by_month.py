"""What only grows is kept by month, on PostgreSQL.

Nothing is copied: what is there becomes the partition of all up to the end of this month. What
takes time is reading it once, to see that all of it belongs there.
"""

import sqlalchemy as sa
from alembic import op

from conveyor.core.months import Month

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = ("timeline", "calls")
FILLED = {"timeline": 100, "calls": 50}
BY_ORDER = "timeline_by_order"
CALLS_KEY = "order_id, step, attempt"


def upgrade() -> None:
    op.create_table(
        "detached_months",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("until", sa.Text(), nullable=False),
        sa.Column("detached_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")
        next_month = Month.at(_server_ms()).next
        for table in TABLES:
            _by_month(table, next_month)


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        _together("calls")
        _together("timeline")
    op.drop_table("detached_months")


def _by_month(table: str, next_month: Month) -> None:
    before = f"{table}_before_{next_month.name.replace('-', '_')}"
    op.execute(f"ALTER TABLE {table} RENAME TO {before}")
    like = f"CREATE TABLE {table} (LIKE {before} INCLUDING DEFAULTS) PARTITION BY RANGE (order_id)"
    if table == "timeline":
        # Nobody asks by the number alone; the index by order becomes a part of that of all.
        op.execute(f"ALTER TABLE {before} DROP CONSTRAINT timeline_pkey")
        op.execute(f"ALTER INDEX {BY_ORDER} RENAME TO {before}_by_order")
        op.execute(like)
        op.execute("ALTER SEQUENCE timeline_id_seq OWNED BY timeline.id")
        op.execute(f"CREATE INDEX {BY_ORDER} ON timeline (order_id)")
    else:
        op.execute(f"ALTER TABLE {before} RENAME CONSTRAINT {table}_pkey TO {before}_pkey")
        op.execute(like)
        op.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({CALLS_KEY})")
    filled = f"WITH (fillfactor = {FILLED[table]})"
    op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT {filled}")
    _attach(table, before, next_month)


def _attach(table: str, before: str, next_month: Month) -> None:
    if not _scalar(f"SELECT EXISTS (SELECT FROM {before})"):  # noqa: S608 - our own names
        op.execute(f"DROP TABLE {before}")
        return
    # What a clock that was wrong has placed later still.
    beyond = f"DELETE FROM {before} WHERE order_id >= '{next_month.first_id}' RETURNING *"  # noqa: S608 - the same
    op.execute(f"WITH beyond AS ({beyond}) INSERT INTO {table}_default SELECT * FROM beyond")  # noqa: S608 - the same
    upto = f"FROM (MINVALUE) TO ('{next_month.first_id}')"
    op.execute(f"ALTER TABLE {table} ATTACH PARTITION {before} FOR VALUES {upto}")


def _together(table: str) -> None:
    """Copy all that is there into one table, which is as it was."""
    one = f"{table}_in_one"
    op.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    op.execute(f"CREATE TABLE {one} (LIKE {table} INCLUDING DEFAULTS)")
    op.execute(f"INSERT INTO {one} SELECT * FROM {table}")  # noqa: S608 - our own names
    if table == "timeline":
        op.execute(f"ALTER SEQUENCE timeline_id_seq OWNED BY {one}.id")
    op.execute(f"DROP TABLE {table}")
    op.execute(f"ALTER TABLE {one} RENAME TO {table}")
    if table == "timeline":
        op.execute("ALTER TABLE timeline ADD PRIMARY KEY (id)")
        op.execute(f"CREATE INDEX {BY_ORDER} ON timeline (order_id)")
    else:
        op.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({CALLS_KEY})")
        op.execute(f"ALTER TABLE {table} SET (fillfactor = {FILLED[table]})")


def _server_ms() -> int:
    return int(_scalar("SELECT extract(epoch FROM clock_timestamp()) * 1000"))


def _scalar(query: str) -> int:
    return int(op.get_bind().execute(sa.text(query)).scalar_one())
