"""How far a replay is: a bar on a terminal, otherwise a line now and then. On standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from conveyor.core.printable import printable
from conveyor.entrypoints.cli.output import note

if TYPE_CHECKING:
    from conveyor.operations.replay import Progress

LINE_SECONDS = 5.0

Tell: TypeAlias = "Callable[[Progress], None]"


@contextmanager
def showing_progress(*, quiet: bool = False) -> Iterator[Tell]:
    """Give what is to be called as the replay goes on."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bar() as tell:
            yield tell
    else:
        yield _Lines().tell


@contextmanager
def _bar() -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("settled"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        waits = _Waits(lambda text: bar.console.print(printable(text), markup=False))

        def tell(progress: Progress) -> None:
            waits.tell(progress)
            bar.update(
                task,
                total=progress.orders - progress.rejected,
                completed=progress.settled,
                description=f"{progress.placed + progress.already_placed:,} placed",
            )

        yield tell


class _Waits:
    """Says, once for each time that it comes to that, what open orders wait for."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said = ""

    def tell(self, progress: Progress) -> None:
        if progress.waits != self._said:
            self._said = progress.waits
            if self._said:
                self._say(f"{progress.open:,} open, and none has settled lately. {self._said}")


class _Lines:
    def __init__(self) -> None:
        self._said_at = time.monotonic()
        self._waits = _Waits(note)

    def tell(self, progress: Progress) -> None:
        now = time.monotonic()
        self._waits.tell(progress)
        if now - self._said_at > LINE_SECONDS:
            self._said_at = now
            placed = progress.placed + progress.already_placed
            note(f"{placed:,} of {progress.orders:,} placed, {progress.settled:,} settled")


@contextmanager
def counting(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """Give what is to be called with how many are done by now, of so many."""
    if not sys.stderr.isatty():
        yield _Counted(total, what).tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(what), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)


class _Counted:
    def __init__(self, total: int, what: str) -> None:
        self._total = total
        self._what = what
        self._said_at = time.monotonic()

    def tell(self, done: int) -> None:
        now = time.monotonic()
        if now - self._said_at > LINE_SECONDS:
            self._said_at = now
            note(f"{done:,} of {self._total:,} {self._what}")
