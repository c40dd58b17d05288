"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from conveyor.messaging.printable import printable


def emit(value: Any, *, as_json: bool, show: Callable[[Any], None]) -> None:  # noqa: ANN401 - JSON
    """Print a result: as one JSON object or list, or as `show` does it for people."""
    if as_json:
        click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
    else:
        show(value)


def say(text: str) -> None:
    """Print a line, or several, of a result for people."""
    click.echo(printable(text))


def note(text: str) -> None:
    """Say something beside the result."""
    click.echo(printable(text), err=True)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()
) -> None:
    """Print rows under headings; columns named in `right` hold figures."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(columns))
    for column in columns:
        side = "right" if column in right else "left"
        shown.add_column(column, justify=side, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        shown.add_row(*(Text("" if cell is None else printable(str(cell))) for cell in row))
    width = None if sys.stdout.isatty() else WIDE_COLUMNS
    Console(width=width, highlight=False, soft_wrap=False).print(shown)


WIDE_COLUMNS = 200
"""Where the output is no terminal, whoever reads it can scroll."""


def money(amount: int, currency: str) -> str:
    """Write an amount of minor units for people: 117700 USD is `USD 1,177.00`."""
    from conveyor.services.orders.money import in_words

    return in_words(amount, currency)


def program() -> str:
    """Give the command as the user can type it again: by its path when its name is not found."""
    called = Path(sys.argv[0])
    if called.name == "conveyor" and not shutil.which("conveyor"):
        return str(called)
    return "conveyor"
