"""What is due: what each step of payments asks the provider for, or why it need not ask."""

from __future__ import annotations

from dataclasses import replace

from conveyor.commerce.payments import store
from conveyor.commerce.payments.model import Charged, Payment
from conveyor.commerce.payments.ports import PaymentRequest
from conveyor.core.order import Order
from conveyor.core.outcome import Done, Outcome, Park
from conveyor.core.transaction import Tx


def authorization_due(tx: Tx, order: Order) -> PaymentRequest | Outcome:  # noqa: ARG001 - a Due
    """Hold the order's total."""
    return PaymentRequest(order.id, order.total, order.currency, method_of(order))


def capture_due(tx: Tx, order: Order) -> PaymentRequest | Outcome:
    """Take all that is held; a second capture of one order is never asked for."""
    payment = store.of_order(tx, order.id)
    if payment is None or payment.voided:
        return Park("nothing is authorized that could be captured")
    return _request(payment, payment.open) or Done({"captured_before": payment.captured})


def release_due(tx: Tx, order: Order) -> PaymentRequest | Outcome:
    """Let go of what is held; nothing to do once it is captured (a refund returns that)."""
    payment = store.of_order(tx, order.id)
    request = _request(payment, payment.open) if payment else None
    if payment is None or request is None:
        return Done({"nothing_to": "void"})
    return replace(request, amount=payment.fee, fee=True) if payment.fee else request


def refund_due(tx: Tx, order: Order) -> PaymentRequest | Outcome:
    """Give back all that we kept, but for the fee."""
    payment = store.of_order(tx, order.id)
    return (payment and _request(payment, payment.owed)) or Done({"nothing_to": "refund"})


def _request(payment: Payment, amount: int) -> PaymentRequest | None:
    if amount == 0:
        return None
    return PaymentRequest(
        payment.order_id, amount, payment.currency, payment.method, payment.reference
    )


def method_of(order: Order) -> str:
    """Give what the order says that it is paid with."""
    payment = order.body_as(Charged).payment
    return payment.method if payment else ""
