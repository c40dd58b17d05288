"""The `payments` table: one row for each order whose money was authorized."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from conveyor.commerce.payments.model import Balance, Payment
from conveyor.core.gathered import Gathered
from conveyor.core.statements import one_of, wide_sum, widened
from conveyor.core.tables import metadata
from conveyor.core.transaction import Tx

payments = sa.Table(
    "payments",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),  # the provider's, of the authorization
    sa.Column("authorized", sa.BigInteger, nullable=False),
    sa.Column("captured", sa.BigInteger, nullable=False),
    sa.Column("refunded", sa.BigInteger, nullable=False),
    sa.Column("voided", sa.Boolean, nullable=False),
    sa.Column("captures", sa.Integer, nullable=False),
    sa.Column("fee", sa.BigInteger, nullable=False),  # kept of it should the order be undone
    # Whatever the code above gets wrong, these make it a fault instead of somebody's money.
    sa.CheckConstraint("authorized >= 0", name="payments_authorized_not_negative"),
    sa.CheckConstraint("captured BETWEEN 0 AND authorized", name="payments_captured_in_authorized"),
    sa.CheckConstraint("refunded BETWEEN 0 AND captured", name="payments_refunded_in_captured"),
    sa.CheckConstraint("fee BETWEEN 0 AND authorized", name="payments_fee_in_authorized"),
    sa.CheckConstraint("captures BETWEEN 0 AND 1", name="payments_captured_once"),
    sa.CheckConstraint("captures = 0 OR NOT voided", name="payments_not_captured_and_voided"),
    sqlite_with_rowid=False,  # found by its key alone: one tree to write instead of two
    postgresql_with={"fillfactor": 50},  # as for orders
)

_row = payments.c
_MODEL = (
    _row.order_id,
    _row.currency,
    _row.method,
    _row.reference,
    _row.authorized,
    _row.captured,
    _row.refunded,
    _row.voided,
    _row.fee,
)
_THIS_ORDER = _row.order_id == sa.bindparam("of_order")
_AMOUNT = sa.bindparam("amount", type_=sa.BigInteger)

_OF_ORDERS = sa.select(*_MODEL).where(one_of(_row.order_id, "orders"))
_INSERT = sa.insert(payments)
_CAPTURE = (
    sa.update(payments)
    .where(_THIS_ORDER)
    .values(captured=_row.captured + _AMOUNT, captures=_row.captures + 1)
)
_VOID = sa.update(payments).where(_THIS_ORDER).values(voided=sa.true())
_FEE = sa.update(payments).where(_THIS_ORDER).values(fee=_AMOUNT)
_REFUND = sa.update(payments).where(_THIS_ORDER).values(refunded=_row.refunded + _AMOUNT)


def _read(tx: Tx, ids: Sequence[str]) -> dict[str, Payment]:
    found = tx.execute(_OF_ORDERS, {"orders": ids}).all()
    return {row.order_id: Payment(*row) for row in found}


_GATHERED = Gathered(_read)


def of_order(tx: Tx, order_id: str) -> Payment | None:
    """Give one order's payment, gathered or read; None: nothing was ever authorized."""
    return _GATHERED.get(tx, order_id)


def gather(tx: Tx, order_ids: Sequence[str]) -> None:
    """Read the payments of these orders once, for `of_order`."""
    _GATHERED.gather(tx, order_ids)


def add(tx: Tx, payment: Payment) -> None:
    """Enter an authorization, or a charge. A second one of an order fails the transaction."""
    tx.later(
        _INSERT,
        {
            "order_id": payment.order_id,
            "currency": payment.currency,
            "method": payment.method,
            "reference": payment.reference,
            "authorized": payment.authorized,
            "captured": payment.captured,
            "refunded": payment.refunded,
            "voided": payment.voided,
            "captures": int(payment.captured > 0),
            "fee": payment.fee,
        },
    )


def capture(tx: Tx, order_id: str, amount: int) -> None:
    """Enter the capture. A second one, or one above the authorization, fails the transaction."""
    tx.later(_CAPTURE, {"of_order": order_id, "amount": amount}, must_match=True)


def void(tx: Tx, order_id: str) -> None:
    """Enter that the authorization was let go. After a capture this fails the transaction."""
    tx.later(_VOID, {"of_order": order_id}, must_match=True)


def note_fee(tx: Tx, order_id: str, amount: int) -> None:
    """Enter what is kept of the money of an order that is being cancelled."""
    tx.later(_FEE, {"of_order": order_id, "amount": amount}, must_match=True)


def refund(tx: Tx, order_id: str, amount: int) -> None:
    """Enter a refund. Above what is left of the capture it fails the transaction."""
    tx.later(_REFUND, {"of_order": order_id, "amount": amount}, must_match=True)


# --- for those who look ---------------------------------------------------------------------------

_OPEN = sa.case((sa.or_(_row.voided, _row.captures > 0), 0), else_=_row.authorized)
_BALANCES = (
    sa.select(
        _row.currency,
        *(half for c in (_row.captured, _row.refunded, _OPEN) for half in wide_sum(c)),
    )
    .group_by(_row.currency)
    .order_by(_row.currency)
)


def books(tx: Tx) -> list[Balance]:
    """Sum all money by currency; equals the provider's own sums whenever no call is open."""
    return [Balance(currency, *widened(parts)) for currency, *parts in tx.execute(_BALANCES)]
