"""The tables of subscriptions."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.core.word_column import WordOf
from conveyor.flows.renewal.subscriptions.model import RenewalState, SubscriptionStatus
from conveyor.flows.renewal.tables import metadata

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("merchant", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("price", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("months", sa.Integer, nullable=False),
    sa.Column("trial_days", sa.Integer, nullable=False),
    sa.Column("retry_days", sa.Text, nullable=False),  # with a space between
    sa.Column("grace_days", sa.Integer, nullable=False),
    sa.Column("afterwards", sa.Text, nullable=False),
    sa.CheckConstraint("price >= 0 AND months > 0", name="plans_price_and_months"),
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("merchant", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("customer", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("next_plan", sa.Text, nullable=False),  # '' for the same
    sa.Column("card", sa.Text, nullable=False),
    sa.Column("new_card", sa.Boolean, nullable=False),
    sa.Column("anchor", sa.Text, nullable=False),  # ISO 8601, without a zone
    sa.Column("zone", sa.Text, nullable=False),
    sa.Column("months", sa.Integer, nullable=False),
    sa.Column("period", sa.Integer, nullable=False),
    sa.Column("status", WordOf(SubscriptionStatus), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("paid_until", sa.BigInteger, nullable=False),
    sa.Column("due_at", sa.BigInteger),
    sa.Column("past_due_since", sa.BigInteger),
    sa.Column("cancel_at_end", sa.Boolean, nullable=False),
    sa.Column("share", sa.Integer, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    # Room in each page for the next version of a row: it changes twice a renewal.
    postgresql_with={"fillfactor": 75},
)
# What is under way, or has ended, is not in it: a scan meets only what it may take.
_due = subscriptions.c.due_at.is_not(None)
sa.Index(
    "subscriptions_due",
    subscriptions.c.merchant,
    subscriptions.c.due_at,
    sqlite_where=_due,
    postgresql_where=_due,
)

# One row for each period of a subscription, and the order that pays for it.
renewals = sa.Table(
    "renewals",
    metadata,
    sa.Column("merchant", sa.Text, primary_key=True),
    sa.Column("subscription", sa.Text, primary_key=True),
    sa.Column("period", sa.Integer, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False, unique=True),
    sa.Column("state", WordOf(RenewalState), nullable=False),
    sa.Column("starts_at", sa.BigInteger, nullable=False),
    sa.Column("ends_at", sa.BigInteger, nullable=False),
    sa.CheckConstraint(
        "state IN ('open', 'extended', 'ended', 'retracted')", name="renewals_state"
    ),
    sqlite_with_rowid=False,
)


# What an operator decided about a merchant's renewals.
controls = sa.Table(
    "renewal_controls",
    metadata,
    sa.Column("merchant", sa.Text, primary_key=True),
    sa.Column("per_cent", sa.Float, nullable=False),
    sa.Column("per_second", sa.Float),
    sa.Column("free_at", sa.BigInteger, nullable=False),  # of the token bucket
)
