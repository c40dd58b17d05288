"""The rules of an order's money. Amounts are integer minor units. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaidWith:
    """A method or token that the provider knows; it declines what it does not know."""

    method: str = ""


@dataclass(frozen=True, slots=True)
class Charged:
    """What payments reads of an order's body: how it is paid."""

    payment: PaidWith | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """What we know of one order's money; `reference` is the provider's, of the authorization.

    `fee` is what is kept of it should the order be undone: 0, but for a cancellation that costs.
    """

    order_id: str
    currency: str
    method: str
    reference: str
    authorized: int
    captured: int
    refunded: int
    voided: bool
    fee: int = 0

    @property
    def open(self) -> int:
        """What is held and may be captured or voided: a capture, even of a part, ends that."""
        return 0 if self.voided or self.captured else self.authorized

    @property
    def kept(self) -> int:
        """What was captured and not given back, so what may still be refunded."""
        return self.captured - self.refunded

    @property
    def owed(self) -> int:
        """What an order that is undone is to give back."""
        return max(self.kept - self.fee, 0)


@dataclass(frozen=True, slots=True, order=True)
class Balance:
    """All money of one currency; `open` is held by authorizations neither captured nor voided."""

    currency: str
    captured: int
    refunded: int
    open: int
