"""The demonstration's board: how many orders of each flow are at each step, live on a terminal."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from conveyor.core.order_status import OrderStatus
from conveyor.entrypoints.cli.output import note

if TYPE_CHECKING:
    from rich.table import Table

    from conveyor.core.routing_slip import Flow

LINE_SECONDS = 2.0
UNDOING = "being undone"
"""One row for all compensations."""
STATUSES = (
    OrderStatus.PARKED,
    OrderStatus.CANCELLED,
    OrderStatus.REFUSED,
    OrderStatus.COMPLETED,
    OrderStatus.REFUNDED,
)

Counts = Mapping[tuple[str, str], int]
"""By flow, and step or status."""
Show = Callable[[Counts], None]


@contextmanager
def showing_board(flows: Sequence[Flow]) -> Iterator[Show]:
    """Give what is to be called with the counts; off a terminal it prints a line now and then."""
    if not sys.stderr.isatty():
        yield _Lines(flows).show
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), auto_refresh=False) as live:
        yield lambda counts: live.update(_table(flows, counts), refresh=True)


def _table(flows: Sequence[Flow], counts: Counts) -> Table:
    from rich import box
    from rich.table import Table

    steps = _steps(flows)
    shown = Table("step", *(flow.name for flow in flows), box=box.SIMPLE_HEAD)
    for column in shown.columns[1:]:
        column.justify = "right"
        column.min_width = 9
    rows = _rows(steps, counts)
    for row in (*steps, UNDOING, *STATUSES):
        if row == STATUSES[0]:
            shown.add_section()
        shown.add_row(row, *(_cell(rows[flow.name, row]) for flow in flows))
    return shown


def _steps(flows: Sequence[Flow]) -> list[str]:
    """Give the steps in the order in which an order of any flow passes them."""
    after: dict[str, set[str]] = {}
    for flow in flows:
        names = [step.name for step in flow.steps]
        for at, name in enumerate(names):
            after.setdefault(name, set()).update(names[:at])
    return list(TopologicalSorter(after).static_order())


def _rows(steps: Sequence[str], counts: Counts) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for (flow, where), count in counts.items():
        found[flow, where if where in {*steps, *STATUSES} else UNDOING] += count
    return found


def _cell(count: int) -> str:
    return f"{count:,}" if count else ""


class _Lines:
    def __init__(self, flows: Sequence[Flow]) -> None:
        self._flows = flows
        self._steps = _steps(flows)
        self._said_at = -LINE_SECONDS

    def show(self, counts: Counts) -> None:
        now = time.monotonic()
        if now - self._said_at < LINE_SECONDS:
            return
        self._said_at = now
        rows = _rows(self._steps, counts)
        for flow in self._flows:
            every = ((row, rows[flow.name, row]) for row in (*self._steps, UNDOING, *STATUSES))
            if standing := [f"{row} {count:,}" for row, count in every if count]:
                note(f"{flow.name}: {', '.join(standing)}")
