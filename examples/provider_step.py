"""A step that calls a provider of yours: a bank that pays out. A test lets it not answer."""

from dataclasses import dataclass
from typing import Protocol

from conveyor import extension as ext


class Bank(Protocol):
    """What you need of the bank; the real one is a class over its HTTP API."""

    async def transfer(self, account: str, amount: int, key: str) -> str:
        """Give the bank's reference. Raises `NotAppliedError` when it is certain that it did not.

        Any other exception, a time-out say, leaves it open whether the money has moved.
        """

    async def find(self, key: str) -> str | None:
        """Give the reference of an earlier transfer with this key, or None."""


@dataclass(frozen=True)
class Transfer:
    account: str
    amount: int  # minor units


class PayOut(ext.CallStep[Transfer, str]):
    """Asked with the same key until the answer is known; paid once."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank

    def prepare(self, tx: ext.Tx, order: ext.Order, now: ext.Now) -> Transfer | ext.Outcome:
        """In the transaction before the call; the intent is committed with it."""
        if not order.total:
            return ext.Done()  # nothing to pay, no call
        return Transfer(order.customer, order.total)

    async def call(self, request: Transfer, key: str) -> str:
        """Between the transactions. The key is made of order, step and attempt."""
        return await self.bank.transfer(request.account, request.amount, key)

    async def ask(self, request: Transfer, key: str) -> str | None:
        """First of all when the outcome of an earlier call is not known."""
        return await self.bank.find(key)

    def record(self, tx: ext.Tx, order: ext.Order, answer: str, now: ext.Now) -> ext.Outcome:
        """In the transaction after it; a business no would be `Refused`."""
        return ext.Done({"reference": answer})
