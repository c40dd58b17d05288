"""The side of the payment providers: each is asked for the orders that have called it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from conveyor.checks import Page
from conveyor.commerce.payments.ports import Moved, OpenLedger, PaymentProvider, Statement
from conveyor.core.bound import Bound

Theirs = Callable[[Page, Sequence[str]], Awaitable[Mapping[str, Moved]]]
"""Gives what a provider did for the orders of a page, of which we know these."""


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Where each provider's side is read; None: it does not say.

    `services` are those whose steps call them.
    """

    theirs: Bound[Theirs | None]
    services: Collection[str]

    @property
    def is_silent(self) -> bool:
        """Whether none of them says anything."""
        return not self._all()

    def of(self, merchant: str, called: str) -> Theirs | None:
        """Give where it is read for a merchant's order, which has `called` one before, or nobody.

        One who is not bound any more does not say either.
        """
        return self.theirs.get(merchant, called)

    async def read(self, page: Page, by: Mapping[str, Theirs]) -> Mapping[str, Moved]:
        """Read it for these orders, each with where it is read.

        Where two have something for one order, that is added up: one of them should not.
        """
        asked: dict[Theirs, list[str]] = {it: [] for it in self._all()}
        for order_id, theirs in by.items():
            asked[theirs].append(order_id)
        found: dict[str, Moved] = {}
        for theirs, order_ids in asked.items():
            for order_id, moved in (await theirs(page, order_ids)).items():
                found[order_id] = _together(found[order_id], moved) if order_id in found else moved
        return found

    def _all(self) -> list[Theirs]:
        return [it for it in self.theirs.by_name.values() if it]


def ledgers_of(bound: Bound[PaymentProvider], services: Collection[str]) -> Ledgers:
    """Find out who of these says what it did."""
    return Ledgers(bound.each(lambda _, it: theirs_of(it)), services)


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
