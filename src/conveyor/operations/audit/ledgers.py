"""The side of the payment providers: each is asked for the orders of its own merchants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from conveyor.checks import Page
from conveyor.commerce.payments.ports import Moved, OpenLedger, PaymentProvider, Statement

Theirs = Callable[[Page, Sequence[str]], Awaitable[Mapping[str, Moved]]]
"""Gives what a provider did for the orders of a page, of which we know these."""


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Where each provider's side is read; None: it does not say."""

    default: Theirs | None
    of_merchants: Mapping[str, Theirs | None] = field(default_factory=dict)

    @property
    def is_silent(self) -> bool:
        """Whether none of them says anything."""
        return self.default is None and not any(self.of_merchants.values())

    def of(self, merchant: str) -> Theirs | None:
        """Give where it is read for a merchant's orders."""
        return self.of_merchants.get(merchant, self.default)

    async def read(self, page: Page, merchants: Mapping[str, str]) -> Mapping[str, Moved]:
        """Read it for these orders, each with its merchant.

        Where two have something for one order, that is added up: one of them should not.
        """
        asked: dict[Theirs, list[str]] = {it: [] for it in self._all()}
        for order_id, merchant in merchants.items():
            if theirs := self.of(merchant):
                asked[theirs].append(order_id)
        found: dict[str, Moved] = {}
        for theirs, order_ids in asked.items():
            for order_id, moved in (await theirs(page, order_ids)).items():
                found[order_id] = _together(found[order_id], moved) if order_id in found else moved
        return found

    def _all(self) -> list[Theirs]:
        return [it for it in (self.default, *self.of_merchants.values()) if it]


def ledgers_of(default: PaymentProvider, of_merchants: Mapping[str, PaymentProvider]) -> Ledgers:
    """Find out who of these says what it did."""
    others = {it: theirs_of(it) for it in of_merchants.values()}
    return Ledgers(theirs_of(default), {name: others[it] for name, it in of_merchants.items()})


def theirs_of(provider: PaymentProvider) -> Theirs | None:
    """Give where a provider's side is read; None: it does not say."""
    if isinstance(provider, OpenLedger):
        return lambda page, _: provider.moved_between(page.after, page.upto)
    if isinstance(provider, Statement):
        return lambda _, order_ids: provider.statement(order_ids)
    return None


def _together(one: Moved, other: Moved) -> Moved:
    return Moved(
        one.currency,
        one.authorized + other.authorized,
        one.captured + other.captured,
        one.refunded + other.refunded,
        one.voided or other.voided,
    )
