"""What payments asks of a payment provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """Money to move: `amount` in minor units of `currency`.

    `authorization` is the reference that the provider gave when it authorized; '' to authorize.
    """

    order_id: str
    amount: int
    currency: str
    method: str
    authorization: str = ""


@dataclass(frozen=True, slots=True)
class Approved:
    """It is done, and for the whole amount; `reference` is the provider's own name for it."""

    reference: str
    amount: int


@dataclass(frozen=True, slots=True)
class Declined:
    """A business no: nothing was moved, and asking again with this key will not change that."""

    reason: str


PaymentAnswer = Approved | Declined


class PaymentProvider(Protocol):
    """A payment provider: each operation is idempotent by its key, for ever.

    A key belongs to one order. The first answer to it is the answer to every later request with
    it, and the operation is applied once. Each raises `NotAppliedError` when it is certain that
    nothing happened, and `UnansweredError`, or anything else, when it is not known; then `lookup`
    tells.
    """

    async def authorize(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """Hold the amount; the reference is what the other operations name as `authorization`."""
        ...

    async def capture(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        """Take what was held, once; declined above what was authorized."""
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
