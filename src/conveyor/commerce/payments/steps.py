"""The steps of payments: one class and what each changes of it; the table at the end names them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from conveyor.commerce.payments import store
from conveyor.commerce.payments.due import (
    authorization_due,
    capture_due,
    method_of,
    refund_due,
    release_due,
)
from conveyor.commerce.payments.model import Payment
from conveyor.commerce.payments.ports import (
    Approved,
    Declined,
    Payer,
    PaymentAnswer,
    PaymentProvider,
    PaymentRequest,
)
from conveyor.core.errors import KeySpentError
from conveyor.core.order import Order
from conveyor.core.outcome import Again, Done, Outcome, Refused
from conveyor.core.routing_slip import flow_name
from conveyor.core.step import Answer, CallStep, Now, StepHandler
from conveyor.core.transaction import Tx

Send = Callable[[PaymentRequest, str], Awaitable[PaymentAnswer]]
Due = Callable[[Tx, Order], PaymentRequest | Outcome]
Write = Callable[[Tx, Order, Approved], None]
NO_PAYERS: Mapping[str, Payer] = MappingProxyType({})


class MoneyNotReturnedError(KeySpentError):
    """The provider declined to void or refund: nothing happened, and we still owe the money.

    It declines whatever else comes with that key: only another can bring another answer.
    """

    def __init__(self, request: PaymentRequest, reason: str) -> None:
        super().__init__(f"{request.amount} {request.currency} were not returned: {reason}")
        self.request = request
        self.reason = reason


class PaymentStep(CallStep[PaymentRequest, PaymentAnswer]):
    """An operation of the provider: `due` says what to ask for, `write` enters it in our books."""

    def __init__(self, provider: PaymentProvider, send: Send, due: Due, write: Write) -> None:
        self._provider = provider
        self._send = send
        self._due = due
        self._write = write

    def gather(self, tx: Tx, orders: Sequence[Order]) -> None:
        """Read the payments of a group at once."""
        store.gather(tx, [order.id for order in orders])

    def prepare(self, tx: Tx, order: Order, now: Now) -> PaymentRequest | Outcome:
        """A free order is done without a call."""
        return self._due(tx, order) if order.total else Done({"free": True})

    async def call(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """Raises what the provider raises."""
        return await self._send(request, key)

    async def ask(self, request: PaymentRequest, key: str) -> PaymentAnswer | None:
        """The key is all that the provider needs."""
        return await self._provider.lookup(key)

    def took_effect(self, answer: PaymentAnswer) -> bool:
        """A decline moved nothing."""
        return isinstance(answer, Approved)

    def record(self, tx: Tx, order: Order, answer: PaymentAnswer, now: Now) -> Outcome:
        """A decline is a refusal: what was done before is undone."""
        if isinstance(answer, Declined):
            return Refused(answer.reason)
        self._write(tx, order, answer)
        return Done(
            {"reference": answer.reference, "amount": answer.amount, "currency": order.currency}
        )


class AuthorizeStep(PaymentStep):
    """Holds the money."""

    def __init__(self, provider: PaymentProvider) -> None:
        super().__init__(provider, provider.authorize, authorization_due, _add)

    def gather(self, tx: Tx, orders: Sequence[Order]) -> None:
        """Read nothing: an order has no payment yet."""


class ChargeStep(PaymentStep):
    """Takes the money in one, as each flow's payer says; without one a decline is a refusal."""

    def __init__(self, provider: PaymentProvider, payers: Mapping[str, Payer]) -> None:
        super().__init__(provider, provider.charge, authorization_due, _charge)
        self._payers = payers

    def gather(self, tx: Tx, orders: Sequence[Order]) -> None:
        """Let the payers read for all of their orders at once."""
        for name, payer in self._payers.items():
            theirs = [order for order in orders if flow_name(order.flow) == name]
            if theirs:
                payer.gather(tx, theirs)

    def prepare(self, tx: Tx, order: Order, now: Now) -> PaymentRequest | Outcome:
        """Ask the payer for the method at each attempt: it may be another than the order's."""
        payer = self._payer(order)
        method = payer.method(tx, order, now) if payer else method_of(order)
        if not isinstance(method, str):
            return method
        due = super().prepare(tx, order, now)
        return replace(due, method=method) if isinstance(due, PaymentRequest) else due

    def record(self, tx: Tx, order: Order, answer: PaymentAnswer, now: Now) -> Outcome:
        """Leave a decline to the payer."""
        payer = self._payer(order)
        if payer and isinstance(answer, Declined):
            return payer.declined(tx, order, answer, now)
        return super().record(tx, order, answer, now)

    def answered(self, tx: Tx, order: Order, answer: Answer, now: Now) -> Outcome:
        """Charge again at once: there is another method, or somebody knows that this one works."""
        return Again(str(answer.get("reason", "somebody asked for it")))

    def overdue(self, tx: Tx, order: Order, now: Now) -> Outcome:
        """Charge again: this is the time that the payer set."""
        return Again("it is time to try again")

    def turned_back(self, tx: Tx, order: Order, now: Now) -> None:
        """Tell the payer."""
        payer = self._payer(order)
        if payer:
            payer.turned_back(tx, order, now)

    def _payer(self, order: Order) -> Payer | None:
        return self._payers.get(flow_name(order.flow))


class ReturnStep(PaymentStep):
    """A compensation: a decline does not end it, it is retried with a new key, then parked."""

    async def call(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """Raises `MoneyNotReturnedError` on a decline: a fault, for an operator in the end."""
        return _returned(request, await super().call(request, key))

    async def ask(self, request: PaymentRequest, key: str) -> PaymentAnswer | None:
        """Raises `MoneyNotReturnedError` where the call that was not answered was declined."""
        answer = await super().ask(request, key)
        return answer and _returned(request, answer)


class ReleaseStep(ReturnStep):
    """Lets go of what is held, all of it or all but the fee: a capture of a part ends the hold."""

    def __init__(self, provider: PaymentProvider) -> None:
        super().__init__(provider, self._release, release_due, _void)

    def record(self, tx: Tx, order: Order, answer: PaymentAnswer, now: Now) -> Outcome:
        """Enter a fee as what it is: a capture."""
        payment = store.of_order(tx, order.id)
        if payment is None or not payment.fee or isinstance(answer, Declined):
            return super().record(tx, order, answer, now)
        _capture(tx, order, answer)
        facts = {"reference": answer.reference, "amount": answer.amount}
        return Done({**facts, "currency": order.currency, "kept_as": "fee"})

    async def _release(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        if request.fee:
            return await self._provider.capture(request, key)
        return await self._provider.void(request, key)


def _returned(request: PaymentRequest, answer: PaymentAnswer) -> Approved:
    if isinstance(answer, Declined):
        raise MoneyNotReturnedError(request, answer.reason)
    return answer


def _add(tx: Tx, order: Order, answer: Approved, captured: int = 0) -> None:
    store.add(
        tx,
        Payment(
            order_id=order.id,
            currency=order.currency,
            method=method_of(order),
            reference=answer.reference,
            authorized=answer.amount,
            captured=captured,
            refunded=0,
            voided=False,
        ),
    )


def _charge(tx: Tx, order: Order, answer: Approved) -> None:
    _add(tx, order, answer, captured=answer.amount)


def _capture(tx: Tx, order: Order, answer: Approved) -> None:
    store.capture(tx, order.id, answer.amount)


def _void(tx: Tx, order: Order, answer: Approved) -> None:
    store.void(tx, order.id)


def _refund(tx: Tx, order: Order, answer: Approved) -> None:
    store.refund(tx, order.id, answer.amount)


def payment_steps(
    provider: PaymentProvider, payers: Mapping[str, Payer] = NO_PAYERS
) -> Mapping[str, StepHandler]:
    """Give the steps of this service, calling `provider`; `payers` is by the name of the flow."""
    return {
        "payments.authorize": AuthorizeStep(provider),
        "payments.capture": PaymentStep(provider, provider.capture, capture_due, _capture),
        "payments.charge": ChargeStep(provider, payers),
        "payments.void": ReleaseStep(provider),
        "payments.refund": ReturnStep(provider, provider.refund, refund_due, _refund),
    }
