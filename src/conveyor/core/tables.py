"""The core's tables. Times are milliseconds since the epoch; money is integer minor units."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.core.call_state import CallState
from conveyor.core.order_status import OrderStatus
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.word_column import WordOf

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
    sa.Column("ending", sa.Text, nullable=False),  # '' going forward, else why it is undone
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
    sa.CheckConstraint("total >= 0", name="orders_total_not_negative"),
    # Room in each page for the next version of a row: then no index has to be touched.
    postgresql_with={"fillfactor": 75},
)
sa.Index("orders_by_merchant", orders.c.merchant, orders.c.id)
sa.Index("orders_by_customer", orders.c.customer, orders.c.merchant, orders.c.id)
_named = orders.c.reference != sa.text("''")
sa.Index(
    "orders_by_reference",
    orders.c.reference,
    orders.c.merchant,
    orders.c.id,
    sqlite_where=_named,
    postgresql_where=_named,
)
# Open orders are few however many have settled: the reconciler and the counts read this index.
_open = orders.c.settled_at.is_(None)
sa.Index("orders_open", orders.c.id, sqlite_where=_open, postgresql_where=_open)
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

timeline = sa.Table(
    "timeline",
    metadata,
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("event", WordOf(TimelineEvent), nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),  # JSON, '' for none
)
sa.Index("timeline_by_order", timeline.c.order_id)

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
