"""The tables of bookings."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.core.word_column import WordOf
from conveyor.flows.travel.bookings.model import MAX_OVERBOOKING_PERCENT, BookingState
from conveyor.flows.travel.tables import metadata

resources = sa.Table(
    "resources",
    metadata,
    sa.Column("merchant", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("capacity", sa.BigInteger, nullable=False),
    sa.Column("overbooking", sa.BigInteger, nullable=False),  # per cent of the capacity
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("held", sa.BigInteger, nullable=False),
    sa.Column("booked", sa.BigInteger, nullable=False),
    sa.Column("waiting", sa.BigInteger, nullable=False),
    sa.Column("asked", sa.BigInteger, nullable=False),
    sa.CheckConstraint(
        "capacity >= 0 AND held >= 0 AND booked >= 0 AND waiting >= 0",
        name="resources_not_negative",
    ),
    sa.CheckConstraint(
        f"overbooking BETWEEN 0 AND {MAX_OVERBOOKING_PERCENT}", name="resources_overbooking"
    ),
    # The last line of defence against giving away too much, whatever the code above it does.
    sa.CheckConstraint(
        "(held + booked) * 100 <= capacity * (100 + overbooking)", name="resources_within_limit"
    ),
    sqlite_with_rowid=False,
)

bookings = sa.Table(
    "bookings",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("leg", sa.Integer, primary_key=True, autoincrement=False),  # from 0, as held
    sa.Column("merchant", sa.Text, nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("state", WordOf(BookingState), nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),  # among the resource's requests
    sa.Column("turn", sa.BigInteger, nullable=False),  # in its message group
    sa.Column("until", sa.BigInteger, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
    sa.Column("again", sa.Boolean, nullable=False),
    sa.CheckConstraint(f"state IN {tuple(map(str, BookingState))}", name="bookings_state"),
    sqlite_with_rowid=False,
)
is_waiting = bookings.c.state == sa.literal_column(f"'{BookingState.WAITING}'")
is_held = bookings.c.state == sa.literal_column(f"'{BookingState.HELD}'")
sa.Index(
    "bookings_waiting",
    bookings.c.merchant,
    bookings.c.resource,
    bookings.c.number,
    sqlite_where=is_waiting,
    postgresql_where=is_waiting,
)
sa.Index("bookings_held", bookings.c.until, sqlite_where=is_held, postgresql_where=is_held)
