"""How far a replay is: a bar on a terminal, otherwise a line now and then. On standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from conveyor.app.replay import Progress
from conveyor.entrypoints.cli.output import note

LINE_SECONDS = 5.0
STALLED_SECONDS = 30.0

Tell = Callable[[Progress], None]


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

        def tell(progress: Progress) -> None:
            bar.update(
                task,
                total=progress.orders - progress.rejected,
                completed=progress.settled,
                description=f"{progress.placed + progress.already_placed:,} placed",
            )

        yield tell


class _Lines:
    def __init__(self) -> None:
        self._said_at = self._moved_at = time.monotonic()
        self._settled = 0
        self._waited_for = False

    def tell(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.settled != self._settled:
            self._settled, self._moved_at, self._waited_for = progress.settled, now, False
        if now - self._moved_at > STALLED_SECONDS and progress.open and not self._waited_for:
            self._waited_for = True
            note(
                f"{progress.open:,} orders are open and none has settled for "
                f"{STALLED_SECONDS:.0f} s: are all services running?"
            )
        if now - self._said_at > LINE_SECONDS:
            self._said_at = now
            placed = progress.placed + progress.already_placed
            note(f"{placed:,} of {progress.orders:,} placed, {progress.settled:,} settled")
