"""The table of planted bugs, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conveyor.testing.planted.once import ONCE, STANDS_FOR
from conveyor.testing.planted.planting import Planted

STEPS = (100, 600, 2_000)
"""Within so many runs each: how many were found."""
HEAD = (
    "| once | planted | what it does | flow | runs | what showed it |\n|---|---|---|---|---:|---|"
)

TITLE = "# Planted bugs"
ABOUT = """\
Written by `make planted`: how many lives of the [simulator](testing.md) it takes until a bug shows.
The seeds are those from 1 on, so that the last of these lives is replayed by its number. Some bring
back what the system once had, as the first column says."""


@dataclass(frozen=True, slots=True)
class Found:
    """A line of the table; `runs` is 0 where nothing showed.

    The seeds are those from 1 on: the run that found it is replayed by its number.
    """

    name: str
    flow: str
    what: str
    once: str
    runs: int
    shown: str

    @classmethod
    def of(cls, bug: Planted, runs: int, shown: str) -> Found:
        """Tell of a bug what came of it."""
        return cls(bug.name, bug.flow, bug.what, STANDS_FOR.get(bug.name, ""), runs, shown)


def as_markdown(table: Sequence[Found], wanted: int) -> str:
    """Give a page: the table, after the faults that the system once had."""
    lines = [HEAD, *map(_line, sorted(table, key=lambda it: (not it.once, it.once)))]
    known = {line.once for line in table}
    faults = [f"| {fault} | {what} |" for fault, what in ONCE.items() if fault in known]
    once = "\n".join(["| | once |", "|---|---|", *faults])
    return "\n\n".join([TITLE, ABOUT, f"{summed_up(table, wanted)}.", once, "\n".join(lines)])


def _line(it: Found) -> str:
    runs = f"{it.runs:,}" if it.runs else "not found"
    return f"| {it.once} | `{it.name}` | {it.what} | {it.flow} | {runs} | {it.shown} |"


def summed_up(table: Sequence[Found], wanted: int) -> str:
    """Say how many were found, within how many runs."""
    runs = [line.runs for line in table if line.runs]
    told = f"{len(runs)} of {wanted} found"
    return ", ".join([told, *_within(runs)])


def _within(runs: Sequence[int]) -> Iterator[str]:
    for most in STEPS:
        if runs and max(runs) > most:
            yield f"{sum(it <= most for it in runs)} within {most:,} runs"
    if runs:
        yield f"the last after {max(runs):,}"
