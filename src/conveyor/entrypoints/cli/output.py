"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from conveyor.core.printable import printable
from conveyor.core.untyped import Json

if TYPE_CHECKING:
    from rich.console import JustifyMethod


def emit(value: Json, *, as_json: bool, show: Callable[[Json], None]) -> None:
    """Print a result: as one JSON object or list, or as `show` does it for people."""
    if as_json:
        click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
    else:
        show(value)


def say(text: str) -> None:
    """Print a line, or several, of a result for people; a terminal gets them broken at words."""
    for line in printable(text).splitlines() or [""]:
        click.echo(_broken(line, _width()) if sys.stdout.isatty() else line)


def say_command(text: str) -> None:
    """Print a command to copy, which stays one line."""
    click.echo(printable(text))


def _broken(line: str, columns: int) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line,
        columns,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def note(text: str) -> None:
    """Say something beside the result, broken at words as there; what is indented stays whole."""
    columns = shutil.get_terminal_size().columns if sys.stderr.isatty() else 0
    for line in printable(text).splitlines() or [""]:
        whole = not columns or line.startswith(" ")
        click.echo(line if whole else _broken(line, columns), err=True)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
    spare: str = "",
) -> None:
    """Print rows under headings; columns named in `right` hold figures.

    Where the terminal is too narrow for the longest words, the column `spare` is left out; where
    that is not enough, each row is a list of its fields.
    """
    cells = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    if not any(columns) or _fits(columns, cells):
        _tabulated(columns, cells, right)
        return
    kept = [at for at, column in enumerate(columns) if column != spare]
    fewer, rest = [columns[at] for at in kept], [[row[at] for at in kept] for row in cells]
    if _fits(fewer, rest):
        _tabulated(fewer, rest, right)
    else:
        _listed(columns, cells)


def _fits(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> bool:
    return sum(_least(columns, cells)) + PADDING * len(columns) <= _width()


def _tabulated(
    columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[str]
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_header=any(columns)
    )
    for column, width in zip(columns, _widths(columns, cells), strict=True):
        side: JustifyMethod = "right" if column in right else "left"
        shown.add_column(column, justify=side, overflow="fold", width=width)
    for row in cells:
        shown.add_row(*map(Text, row))
    # Of a terminal that calls itself dumb, Rich believes a width only together with a height.
    console = Console(width=_width(), height=len(cells), highlight=False, soft_wrap=False)
    console.print(shown)


def _widths(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int | None]:
    """Give each column its longest word, and what is left to those that need least more.

    Rich would narrow them by their widths alone, and break words. None: as Rich does.
    """
    if not _fits(columns, cells):
        return [None] * len(columns)
    least = _least(columns, cells)
    more = [max(len(row[at]) for row in [columns, *cells]) - of for at, of in enumerate(least)]
    room = _width() - PADDING * len(columns) - sum(least)
    widths: list[int | None] = [*least]
    for at in sorted(range(len(columns)), key=more.__getitem__):
        widths[at] = least[at] + min(more[at], room)
        room -= min(more[at], room)
    return widths


def _listed(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    left = max(map(len, columns)) + PADDING
    for row in cells:
        click.echo()
        for column, cell in zip(columns, row, strict=True):
            if cell:
                say(f"{column:<{left}}{cell}")


def _least(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    """Give how wide each column must be so that no word is broken."""
    return [
        max(len(word) for row in [columns, *cells] for word in row[at].split() or [""])
        for at in range(len(columns))
    ]


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE_COLUMNS


PADDING = 2
WIDE_COLUMNS = 200
"""Where the output is no terminal, whoever reads it can scroll."""


def money(amount: int, currency: str) -> str:
    """Write an amount of minor units for people: 117700 USD is `USD 1,177.00`."""
    from conveyor.commerce.orders.money import in_words

    return in_words(amount, currency)


def counted(count: int, thing: str) -> str:
    """Write how many there are: `1 order`, `1,472 orders`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def program() -> str:
    """Give the command as the user can type it again: by its path when its name is not found."""
    called = Path(sys.argv[0])
    if called.name == "conveyor" and not shutil.which("conveyor"):
        return str(called)
    return "conveyor"
