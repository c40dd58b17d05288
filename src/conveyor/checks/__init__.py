"""What a check of the audit is made of; flows bring checks of their own.

An invariant that data at rest can show is a condition on rows. `look` holds the rows of a table, or
of a join, against one; what cannot be said in SQL looks at the orders page by page (`Look`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from conveyor.checks.columns import Column, count_if, on_page
from conveyor.checks.examined import Examined
from conveyor.checks.finding import MAX_EXAMPLES, Finding
from conveyor.checks.pages import Page
from conveyor.checks.rows import check_rows
from conveyor.core.routing_slip import Flow
from conveyor.core.transaction import Tx

__all__ = [
    "MAX_EXAMPLES",
    "Check",
    "Column",
    "Comparison",
    "Examination",
    "Examined",
    "Finding",
    "Page",
    "PageCheck",
    "check_rows",
    "count_if",
    "on_page",
]

Check = Callable[[Tx, "Examination"], Iterable[Finding]]
"""What looks at tables whole, in a transaction of its own."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What is examined: orders of these flows, by their keys; `now` is in milliseconds."""

    flows: Mapping[str, Flow]
    now: int


class PageCheck(Protocol):
    """What looks at the orders of one page after the other.

    Several processes may share the pages: what one of these finds there adds up with the others'.
    """

    @property
    def findings(self) -> Sequence[Finding]:
        """Give what was found in all pages."""
        ...

    def take(self, tx: Tx, page: Page, now: int, /) -> None:
        """Judge the orders of one page, all of them at one committed state."""
        ...


class Comparison(Protocol):
    """What holds our tables against somebody outside, whom it asks: no transaction covers both."""

    @property
    def findings(self) -> Sequence[Finding]:
        """Give what was found."""
        ...

    async def go_through(self, examined: Examined, pages: Sequence[Page], /) -> None:
        """Compare page after page of our orders."""
        ...
