"""What payments asks of a payment provider, and of whoever pays by charge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from conveyor.core.order import Order
from conveyor.core.outcome import Outcome
from conveyor.core.step import Now
from conveyor.core.transaction import Tx


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """Money to move: `amount` in minor units of `currency`.

    `authorization` is the reference that the provider gave when it authorized; '' to authorize.
    `fee`: the amount is to be captured as a fee, and the rest of the authorization let go of.
    """

    order_id: str
    amount: int
    currency: str
    method: str
    authorization: str = ""
    fee: bool = False


@dataclass(frozen=True, slots=True)
class Approved:
    """It is done, and for the whole amount; `reference` is the provider's own name for it."""

    reference: str
    amount: int


@dataclass(frozen=True, slots=True)
class Declined:
    """A business no: nothing was moved, and asking again with this key will not change that.

    `final`: nor will asking with another key on another day, such as for a stolen card.
    """

    reason: str
    final: bool = False


PaymentAnswer = Approved | Declined


class PaymentProvider(Protocol):
    """A payment provider: each operation is idempotent by its key.

    A key belongs to one order and one request. The first answer to it is the answer to every later
    request with it, and the operation is applied once. What an adapter must tell apart:

    - `NotAppliedError`: this request certainly did nothing, and the key is as good as before. It
      comes again with the same key, if it asks the same.
    - `KeySpentError`: certainly nothing was done, and this key will never bring anything but the
      error that the provider has saved under it (Stripe says so with `Idempotent-Replayed`). The
      next try has another key.
    - `UnansweredError`, or anything else: it is not known. Then `lookup` tells, by the key, or
      where the provider forgets keys after a while, by whatever else it keeps for us.

    A request is cut off after its `call_seconds`, or what the settings say; an adapter sends
    nothing after that, and tries nothing again by itself for longer.
    """

    async def authorize(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """Hold the amount; the reference is what the other operations name as `authorization`."""
        ...

    async def capture(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """Take what was held, once; declined above what was authorized."""
        ...

    async def charge(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """Hold the amount and take it in one; the reference is what a refund names."""
        ...

    async def void(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """Let go of what was held; declined after a capture, approved when let go before."""
        ...

    async def refund(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """Give back what was captured; declined above what is left of it."""
        ...

    async def lookup(self, key: str) -> PaymentAnswer | None:
        """Give the answer to this key, for any request sent before; None: it never arrived."""
        ...


class Moved(NamedTuple):
    """What was done with an order's money, in minor units; `voided`: let go of before a capture."""

    currency: str = ""
    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    voided: bool = False


@runtime_checkable
class Statement(Protocol):
    """A payment provider that can say what it has done: `conveyor audit` holds our books to it."""

    async def statement(self, order_ids: Sequence[str]) -> Mapping[str, Moved]:
        """Give what it did for these orders, from its own books; nothing for those without any."""
        ...


@runtime_checkable
class OpenLedger(Protocol):
    """A payment provider whose books can be read through by order.

    The audit then finds money of orders, too, that we do not know.
    """

    async def moved_between(self, after: str, upto: str) -> Mapping[str, Moved]:
        """Give what it did for all orders whose ids are greater than `after`, up to `upto`."""
        ...


class Payer(Protocol):
    """Who pays an order by charge: which method now, and what a decline means for the order.

    A flow's addition gives one where a decline is not to be a refusal.
    """

    def gather(self, tx: Tx, orders: Sequence[Order]) -> None:
        """Lock and read, once for a group, what the other methods need."""
        ...

    def method(self, tx: Tx, order: Order, now: Now) -> str | Outcome:
        """Give the method to charge, or the outcome of an order that is not to be charged."""
        ...

    def declined(self, tx: Tx, order: Order, declined: Declined, now: Now) -> Outcome:
        """Decide what a decline means; an order that awaits is charged again when time is up."""
        ...

    def turned_back(self, tx: Tx, order: Order, now: Now) -> None:
        """Take note that the order was refused or cancelled before it was charged."""
        ...
