"""Our books against the provider's own ledger, order by order and to the cent.

They are two databases, so no transaction covers both. The ledger of an order changes only while a
call of it is open; so where our books said the same before and after the ledger was read, the two
must agree, however busy the system is: to the cent, or with a call open, to what that call can do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from conveyor.checks import Examined, Finding, Page
from conveyor.commerce.payments.ports import Moved
from conveyor.core.archived import archived_between
from conveyor.operations.audit.books import Books, read_again, read_books
from conveyor.operations.audit.ledgers import Ledgers

MOST_NAMED = 1_000
"""Orders that a provider was paid for and we lack: each is to be refunded, or placed again."""


@dataclass(slots=True)
class Money:
    """Orders added up, in minor units of one currency."""

    captured: int = 0
    refunded: int = 0

    def add(self, sums: Moved) -> None:
        """Count in one order."""
        self.captured += sums.captured
        self.refunded += sums.refunded

    def as_json(self) -> dict[str, int]:
        """Give the amounts by name."""
        return {"captured": self.captured, "refunded": self.refunded}


def _by_currency() -> defaultdict[str, Money]:
    return defaultdict(Money)


@dataclass(slots=True)
class BooksAndProvider:
    """Adds up, by currency, both sides of every order that could be compared.

    Orders whose provider gives no statement are not compared, nor those in the archive.
    """

    ledgers: Ledgers
    finding: Finding = field(
        default_factory=lambda: Finding(
            "books_equal_provider", 4, "Our books equal the provider's, order by order"
        )
    )
    ours: defaultdict[str, Money] = field(default_factory=_by_currency)
    theirs: defaultdict[str, Money] = field(default_factory=_by_currency)
    lacking: list[str] = field(default_factory=list)
    moving: int = 0
    untold: int = 0
    archived: int = 0

    @property
    def findings(self) -> Sequence[Finding]:
        """Give the one."""
        return (self.finding,)

    async def go_through(self, examined: Examined, pages: Iterable[Page]) -> None:
        """Compare page after page, and write the sums into the finding."""
        if self.ledgers.is_silent:
            self.finding.figures["not_compared"] = "the payment provider gives no statement"
            return
        for page in pages:
            await self._add_page(examined, page)
        self._close()

    async def _add_page(self, examined: Examined, page: Page) -> None:
        services = self.ledgers.services
        known, archived = await examined.read(
            lambda tx: (read_books(tx, page, services), archived_between(tx, page.after, page.upto))
        )
        self.archived += len(archived)
        theirs = {one: self.ledgers.of(it.merchant, it.called) for one, it in known.items()}
        told = {one: it for one, it in theirs.items() if it}
        books = {one: known[one] for one in told}
        self.untold += len(known) - len(books)
        # Of what went into the archive we have no books to compare: they agreed when it went.
        provider = {
            order_id: moved
            for order_id, moved in (await self.ledgers.read(page, told)).items()
            if order_id not in archived
        }
        nothing = Moved()
        differing = [
            order_id
            for order_id, entry in books.items()
            if not entry.agree_with(provider.get(order_id, nothing))
        ]
        differing += [i for i in provider.keys() - books.keys() if provider[i] != nothing]
        moving = {order_id for order_id, entry in books.items() if entry.open}
        moved: set[str] = set()
        if differing:
            after = await examined.read_now(lambda tx: read_again(tx, differing, services))
            moved = _moved(differing, books, after)
        wrong = sorted(order_id for order_id in differing if order_id not in moved)
        moving |= moved
        self.lacking += [order_id for order_id in wrong if order_id not in books]
        self.finding.add(len(books), len(wrong), wrong)
        self.moving += len(moving)
        for order_id in books.keys() - moving:
            sums = books[order_id].sums
            self.ours[sums.currency].add(sums)
        for order_id in provider.keys() - moving:
            sums = provider[order_id]
            self.theirs[sums.currency].add(sums)

    def _close(self) -> None:
        for currency in sorted((self.ours.keys() | self.theirs.keys()) - {""}):
            self.finding.figures[currency] = {
                "ours": self.ours[currency].as_json(),
                "provider": self.theirs[currency].as_json(),
            }
        if self.lacking:
            self.finding.figures["orders_that_are_not_here"] = self.lacking[:MOST_NAMED]
        if self.archived:
            self.finding.figures["left_out_as_archived"] = self.archived
        if self.untold:
            self.finding.figures["left_out_without_a_statement"] = self.untold
        if self.moving:
            self.finding.figures["left_out_with_a_call_open"] = self.moving


def _moved(
    differing: list[str], before: Mapping[str, Books], after: Mapping[str, Books]
) -> set[str]:
    """Give those of which our books may have changed while the ledger was read."""
    return {
        order_id
        for order_id in differing
        if (entry := after.get(order_id)) and entry != before.get(order_id)
    }
