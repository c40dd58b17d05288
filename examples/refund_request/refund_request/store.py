"""The package's own tables: which orders a refund is asked for, and the credit that was given."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.extension import Order, Tx

metadata = sa.MetaData()

# The primary key is the rule: of two requests for one order, one fails, is tried again and refused.
claims = sa.Table(
    "refund_claims",
    metadata,
    sa.Column("about", sa.Text, primary_key=True),
    sa.Column("request", sa.Text, nullable=False),
)
given = sa.Table(
    "store_credits",
    metadata,
    sa.Column("request", sa.Text, primary_key=True),
    sa.Column("customer", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),  # minor units
    sa.Column("granted_at", sa.BigInteger, nullable=False),  # milliseconds since the epoch
)

_IS_CLAIMED = sa.select(sa.exists().where(claims.c.about == sa.bindparam("about")))
_CLAIM = sa.insert(claims)
_RELEASE = sa.delete(claims).where(claims.c.request == sa.bindparam("of_request"))
_GRANT = sa.insert(given)
_GIVEN = sa.select(given.c.amount).where(given.c.request == sa.bindparam("of_request"))


def is_claimed(tx: Tx, about: str) -> bool:
    """Whether a refund of this order is asked for, or was given."""
    return bool(tx.execute(_IS_CLAIMED, {"about": about}).scalar())


def claim(tx: Tx, about: str, request: Order) -> None:
    """Let nobody else ask for the same."""
    tx.later(_CLAIM, {"about": about, "request": request.id})


def release(tx: Tx, request: Order) -> None:
    """Let it be asked for again."""
    tx.later(_RELEASE, {"of_request": request.id})


def grant(tx: Tx, request: Order, now_ms: int) -> None:
    """Give the credit."""
    tx.later(
        _GRANT,
        {
            "request": request.id,
            "customer": request.customer,
            "currency": request.currency,
            "amount": request.total,
            "granted_at": now_ms,
        },
    )


def credits_of(tx: Tx, request: str) -> list[int]:
    """Give the credits that were given for a request: none, or one."""
    return list(tx.execute(_GIVEN, {"of_request": request}).scalars())
