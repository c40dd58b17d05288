"""The core's tables. Times are milliseconds since the epoch; money is integer minor units."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.core.call_state import CallState
from conveyor.core.order_keys import email_of, flow_name_of
from conveyor.core.order_status import OrderStatus
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.word_column import WordOf

ONLY_ON = "only on"
"""What an index says of the one database that has it."""

metadata = sa.MetaData()

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("merchant", sa.Text, nullable=False),
    sa.Column("flow", sa.Text, nullable=False),  # name@version
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("customer", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # the order as placed, JSON
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("status", WordOf(OrderStatus), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),  # index into the flow's steps
    sa.Column("ending", sa.Text, nullable=False),  # '' going forward, else how it ends
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("cancelling", sa.Boolean, nullable=False),  # asked to cancel while a call is open
    sa.Column("group_key", sa.Text, nullable=False),
    sa.Column("expected_at", sa.BigInteger, nullable=False),  # when its token should have moved it
    sa.Column("placed_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("settled_at", sa.BigInteger),
    sa.Column("stage", sa.Integer, nullable=False),  # how often the step was taken, see Step.each
    sa.Column("sequence", sa.BigInteger, nullable=False),  # its turn in its group, 0: has none
    # The step that is owed was taken and is not done: what it did is undone with the rest.
    sa.Column("begun", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("traceparent", sa.Text),  # where in which trace it was placed, where there is one
    sa.CheckConstraint("total >= 0", name="orders_total_not_negative"),
    # Room in each page for the next version of all its rows, which a group changes at once: then no
    # index has to be touched.
    postgresql_with={"fillfactor": 45},
)
sa.Index("orders_by_merchant", orders.c.merchant, orders.c.id)
sa.Index("orders_by_customer", orders.c.customer, orders.c.id)
_named = orders.c.reference != sa.text("''")
sa.Index(
    "orders_by_reference",
    orders.c.reference,
    orders.c.id,
    sqlite_where=_named,
    postgresql_where=_named,
)
# Open orders are few however many have settled: the reconciler and the counts read this index.
_open = orders.c.settled_at.is_(None)
sa.Index("orders_open", orders.c.id, sqlite_where=_open, postgresql_where=_open)
# By what else orders are looked for; each costs only those that it is about. An index by `status`
# would be written with every step: these follow from what changes once.
sa.Index("orders_by_flow", flow_name_of(orders.c.flow), orders.c.id)
_mailed = email_of(orders.c.body).is_not(None)
sa.Index(
    "orders_by_email",
    email_of(orders.c.body),
    orders.c.id,
    sqlite_where=_mailed,
    postgresql_where=_mailed,
)
_told_why = orders.c.reason != sa.text("''")
sa.Index(
    "orders_by_reason",
    orders.c.reason,
    orders.c.id,
    orders.c.ending,  # what ended otherwise is passed over without a look at its row
    sqlite_where=_told_why,
    postgresql_where=_told_why,
)
_undone = orders.c.ending != sa.text("''")
sa.Index(
    "orders_undone", orders.c.ending, orders.c.id, sqlite_where=_undone, postgresql_where=_undone
)
_undoing = sa.and_(_open, _undone)
sa.Index("orders_undoing", orders.c.id, sqlite_where=_undoing, postgresql_where=_undoing)
_settled = orders.c.settled_at.is_not(None)
sa.Index(
    "orders_by_settling", orders.c.settled_at, sqlite_where=_settled, postgresql_where=_settled
)
# Who is before whom in a message group: only orders that wait for their turn there have one.
_in_turn = orders.c.sequence > 0
sa.Index(
    "orders_by_turn",
    orders.c.group_key,
    orders.c.sequence,
    sqlite_where=_in_turn,
    postgresql_where=_in_turn,
)

# One row an order: it can be owed only one token at a time.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("queue", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("group_key", sa.Text, nullable=False),
    sa.Column("due_at", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    # It is owed anew, at a later time: a copy that was sent before is not it.
    sa.Column("held", sa.Boolean, nullable=False),
    # The provider for whose sake it came before its turn, '' for none.
    sa.Column("waits_for", sa.Text, nullable=False, server_default=sa.text("''")),
    sqlite_with_rowid=False,
)
sa.Index("outbox_due", outbox.c.due_at)
sa.Index(
    "outbox_held", outbox.c.order_id, sqlite_where=outbox.c.held, postgresql_where=outbox.c.held
)
_waits = outbox.c.waits_for != sa.text("''")
sa.Index("outbox_waiting", outbox.c.waits_for, sqlite_where=_waits, postgresql_where=_waits)

# The last turn that was given in each message group of a FIFO queue.
turns = sa.Table(
    "turns",
    metadata,
    sa.Column("group_key", sa.Text, primary_key=True),
    sa.Column("last", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# On PostgreSQL what only grows is kept by the month in which its order was placed, see decision 26.
BY_MONTH = "RANGE (order_id)"

timeline = sa.Table(
    "timeline",
    metadata,
    sa.Column(
        "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False
    ),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("event", WordOf(TimelineEvent), nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),  # JSON, '' for none
    # PostgreSQL would keep an index of numbers by which nobody asks, and write as much to its log.
    sa.PrimaryKeyConstraint("id").ddl_if("sqlite"),
    postgresql_partition_by=BY_MONTH,
)
sa.Index("timeline_by_order", timeline.c.order_id)
# Of each hundred pages it has the least and the greatest number: next to nothing to write.
sa.Index(
    "timeline_by_number",
    timeline.c.id,
    postgresql_using="brin",
    postgresql_with={"autosummarize": "on"},
    info={ONLY_ON: "postgresql"},
).ddl_if("postgresql")

# An intent is written before a provider is called, and says afterwards what became of it.
calls = sa.Table(
    "calls",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("state", WordOf(CallState), nullable=False),
    sa.Column("intended_at", sa.BigInteger, nullable=False),
    sa.Column("ended_at", sa.BigInteger),
    sa.Column("may_run_until", sa.BigInteger, nullable=False),  # till then it may take effect
    sa.Column("taken", sa.Integer, nullable=False),  # how often it was taken up
    sa.Column("request", sa.Text, nullable=False),  # what was asked, JSON
    # Who was called, by the name that bound it; '' where none could be chosen.
    sa.Column("provider", sa.Text, nullable=False, server_default=sa.text("''")),
    sqlite_with_rowid=False,
    postgresql_partition_by=BY_MONTH,
)

MONTHLY = {timeline.name: 100, calls.name: 50}
"""Tables of which each month is one of its own, on PostgreSQL, and how full a page of them gets."""


def default_partition(table: str) -> str:
    """Give what makes the partition of all that no month covers."""
    made = f"CREATE TABLE IF NOT EXISTS {table}_default PARTITION OF {table} DEFAULT"
    return f"{made} WITH (fillfactor = {MONTHLY[table]})"


for _table in (timeline, calls):
    _made = sa.DDL(default_partition(_table.name))  # type: ignore[no-untyped-call]
    _made = _made.execute_if(dialect="postgresql")
    sa.event.listen(_table, "after_create", _made)

# Months of which the tables above were taken away, on purpose. Ids: `since` <= id < `until`.
detached_months = sa.Table(
    "detached_months",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("until", sa.Text, nullable=False),
    sa.Column("detached_at", sa.BigInteger, nullable=False),
)

parked = sa.Table(
    "parked",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("was", WordOf(OrderStatus), nullable=False),  # the status that it had
    sa.Column("queue", sa.Text, nullable=False),
    sa.Column("group_key", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("traceback", sa.Text, nullable=False),
    sa.Column("parked_at", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
)

# How many orders were placed, by the connection that did it.
placed_counts = sa.Table(
    "placed_counts",
    metadata,
    sa.Column("connection", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("orders", sa.BigInteger, nullable=False),
)

# What each process has asked of a queue service that is paid by the request.
request_counts = sa.Table(
    "request_counts",
    metadata,
    sa.Column("process", sa.Text, primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The processes that are at work: each writes down now and then that it is, and ends its row itself.
workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("services", sa.Text, nullable=False),  # with a space between, `api` among them
    sa.Column("load", sa.Text, nullable=False),  # tokens in its hands by queue, JSON
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("seen_at", sa.BigInteger, nullable=False),
    # What it did in the last minute, JSON; '' where nothing is known.
    sa.Column("figures", sa.Text, nullable=False, server_default=sa.text("''")),
    sqlite_with_rowid=False,
)
