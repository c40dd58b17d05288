"""The demonstration's board: how many orders are at each step, live on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from conveyor.entrypoints.cli.output import note

if TYPE_CHECKING:
    from rich.table import Table

LINE_SECONDS = 2.0
BAR_WIDTH = 40
BAR_FULL = 1_000
# In the order in which an order passes them; what is not here comes after.
ROWS = (
    "payments.authorize",
    "inventory.reserve",
    "payments.capture",
    "shipping.ship",
    "shipping.ship, awaiting",
    "orders.complete",
    "payments.void",
    "inventory.release",
    "payments.refund",
    "parked",
    "refused",
    "cancelled",
    "completed",
)
# The undoing of what was done appears once there is some.
ALWAYS = frozenset({*ROWS[:6], "completed"})

Show = Callable[[Mapping[str, int]], None]


@contextmanager
def showing_board() -> Iterator[Show]:
    """Give what is to be called with the counts; off a terminal it prints a line now and then."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), auto_refresh=False) as live:
        yield lambda counts: live.update(_table(counts), refresh=True)


def _table(counts: Mapping[str, int]) -> Table:
    from rich import box
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    shown = Table("step", "orders", "", box=box.SIMPLE_HEAD)
    shown.columns[1].justify = "right"
    for row in _rows(counts):
        count = counts.get(row, 0)
        shown.add_row(
            row, f"{count:,}", ProgressBar(total=BAR_FULL, completed=count, width=BAR_WIDTH)
        )
    return shown


def _rows(counts: Mapping[str, int]) -> list[str]:
    known = [row for row in ROWS if row in ALWAYS or counts.get(row)]
    return known + sorted(counts.keys() - set(ROWS))


class _Lines:
    def __init__(self) -> None:
        self._said_at = -LINE_SECONDS

    def show(self, counts: Mapping[str, int]) -> None:
        now = time.monotonic()
        if now - self._said_at >= LINE_SECONDS:
            self._said_at = now
            standing = (f"{row} {counts[row]}" for row in _rows(counts) if counts.get(row))
            note(" | ".join(standing))
