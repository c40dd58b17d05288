"""The simulated payment provider's rules: what may be done with one authorization. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from conveyor.commerce.payments.ports import Approved, Declined, PaymentAnswer, PaymentRequest


class Operation(StrEnum):
    """What the provider is asked to do."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    CHARGE = "charge"
    VOID = "void"
    REFUND = "refund"


# These begin an account; the others name it by its reference.
OPENING = frozenset({Operation.AUTHORIZE, Operation.CHARGE})

STOLEN = "card reported stolen"
UNKNOWN_METHOD = "unknown payment method"
FINAL = frozenset({STOLEN, UNKNOWN_METHOD})
"""Reasons of a decline that no other day changes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger: an operation that was answered. Declined ones moved nothing."""

    key: str
    order_id: str
    operation: str
    authorization: str
    reference: str
    amount: int
    currency: str
    approved: bool
    reason: str
    at: int  # milliseconds since the epoch

    @property
    def answer(self) -> PaymentAnswer:
        """The answer to this key, for ever."""
        if self.approved:
            return Approved(self.reference, self.amount)
        return Declined(self.reason, final=self.reason in FINAL)


Rules = list[tuple[bool, str]]


@dataclass(slots=True)
class Account:
    """Where one authorization stands: the sum of its approved entries, in whatever order."""

    currency: str = ""
    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    voided: bool = False

    def post(self, entry: Entry) -> None:
        """Add an approved entry."""
        self.currency = entry.currency
        match entry.operation:
            case Operation.AUTHORIZE:
                self.authorized += entry.amount
            case Operation.CAPTURE:
                self.captured += entry.amount
            case Operation.CHARGE:
                self.authorized += entry.amount
                self.captured += entry.amount
            case Operation.REFUND:
                self.refunded += entry.amount
            case _:
                self.voided = True

    def objection(self, operation: Operation, request: PaymentRequest) -> str:
        """Say why the operation is declined; '' when it may be done."""
        broken = (reason for is_broken, reason in self._rules(operation, request) if is_broken)
        return next(broken, "")

    def _rules(self, operation: Operation, request: PaymentRequest) -> Rules:
        amount = request.amount
        rules: Rules = [(amount <= 0, "the amount must be positive")]
        if operation in OPENING:
            return rules
        rules.append((self.authorized == 0, "no such authorization"))
        rules.append((request.currency != self.currency, f"authorized in {self.currency}"))
        if operation is Operation.CAPTURE:
            rules.append((self.voided, "the authorization was voided"))
            rules.append((self.captured > 0, "captured before"))
            rules.append((amount > self.authorized, "more than was authorized"))
        elif operation is Operation.VOID:
            # Voiding again is approved: what was asked for holds, whoever brought it about.
            rules.append((self.captured > 0, "captured before: refund it"))
            rules.append((amount != self.authorized, "a void is of the whole authorization"))
        else:
            left = self.captured - self.refunded
            rules.append((amount > left, "more than is left of the capture"))
        return rules
