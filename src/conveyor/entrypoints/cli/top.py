"""`conveyor top`: what `status` shows, live in the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import click

from conveyor.core.printable import printable
from conveyor.entrypoints.cli.options import json_option, run, with_target
from conveyor.entrypoints.cli.output import note, say
from conveyor.entrypoints.cli.status import look

if TYPE_CHECKING:
    from rich.console import ConsoleDimensions, Group
    from rich.table import Table
    from rich.text import Text

    from conveyor.entrypoints.cli.status_view import Part, View
    from conveyor.entrypoints.cli.target import Target
    from conveyor.entrypoints.client import Client

QUIT = b"qQ"
MOST_NEEDS = 4
MOST_QUEUES = 4
MOST_WORKERS = 3
"""So many rows at least are kept for the flows' steps, before others get more."""
WIDEST = 26
"""As much of a name is shown where there are 80 columns."""


@click.command()
@click.option(
    "--every",
    type=click.FloatRange(1.0, 3_600.0),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How often it looks.",
)
@with_target
@json_option
def top(every: float, target: Target, *, as_json: bool) -> None:
    """Show live what `conveyor status` shows; q or Ctrl-C ends it.

    Where the output is no terminal it prints a line each time; with --json an object a line.
    """
    is_screen = sys.stdout.isatty() and not as_json
    run(_on_screen(target, every) if is_screen else _in_lines(target, every, as_json=as_json))


async def _in_lines(target: Target, every: float, *, as_json: bool) -> None:
    import orjson

    from conveyor.entrypoints.cli.status_view import heading

    async with target.client() as client:
        async for view, trouble in _looks(client, every, asyncio.Event()):
            if trouble:
                note(trouble)
            elif as_json:
                click.echo(orjson.dumps(view).decode())
            else:
                needs = "; ".join(f"{it['subject']}: {it['says']}" for it in view["needs"])
                say(f"{view['at']}  {heading(view)}. {needs or 'All is well.'}")


async def _on_screen(target: Target, every: float) -> None:
    from rich.console import Console
    from rich.live import Live

    stop = asyncio.Event()
    async with target.client() as client:
        first = await look(client)  # whoever cannot look at all is told so on a plain screen
        console = Console()
        with (
            _keys(stop.set),
            Live(
                screen(first, "", console.size),
                console=console,
                screen=True,
                auto_refresh=False,
                vertical_overflow="crop",
            ) as live,
        ):
            live.refresh()
            async for view, trouble in _looks(client, every, stop, first):
                live.update(screen(view, trouble, console.size), refresh=True)


async def _looks(
    client: Client, every: float, stop: asyncio.Event, first: View | None = None
) -> AsyncIterator[tuple[View, str]]:
    """Look now and then until told to stop; gives what was seen last, and why nothing is newer.

    Raises what the first look raises.
    """
    from conveyor.entrypoints.client import ApiError, ServerUnreachableError

    view = first or await look(client)
    yield view, ""
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every)
        if stop.is_set():
            return
        try:
            view, trouble = await look(client), ""
        except (ServerUnreachableError, ApiError) as error:
            if isinstance(error, ApiError) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            trouble = f"No newer figures: {error}"
        yield view, trouble


@contextmanager
def _keys(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` when somebody types q. The terminal is as before at the end."""
    try:
        import termios
        import tty
    except ImportError:  # no such terminals on this system: there is Ctrl-C
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    number, loop = sys.stdin.fileno(), asyncio.get_running_loop()

    def typed() -> None:
        keys = os.read(number, 64)
        if not keys:
            loop.remove_reader(number)
        if any(key in QUIT for key in keys):
            stop()

    before = termios.tcgetattr(number)
    tty.setcbreak(number)
    loop.add_reader(number, typed)
    try:
        yield
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def screen(view: View, trouble: str, size: ConsoleDimensions) -> Group:
    """Lay it out in as many lines as there are: what needs somebody first, then the flows."""
    from rich.console import Group
    from rich.text import Text

    from conveyor.entrypoints.cli import status_view

    needs = view["needs"][:MOST_NEEDS]
    queues, workers = status_view.queues_of(view), status_view.workers_of(view)
    room = size.height - 4 - len(needs) - bool(trouble) - len(view["flows"])
    for_queues = min(len(queues.rows), MOST_QUEUES)
    for_workers = min(len(workers.rows), MOST_WORKERS)
    room -= sum(2 + some for some in (for_queues, for_workers) if some)
    flows = status_view.flows_of(view, max(room, 0))
    lines: list[Any] = [
        _line(f"{status_view.heading(view)} · {view['at'][status_view.TIME_OF_DAY]}Z", "bold"),
        _line(trouble or status_view.verdict(view), "green" if view["ok"] else "bold red"),
        *(_line(f"  {it['subject']}: {it['says']}", "red") for it in needs),
        _tabulated(flows, len(flows.rows)),
    ]
    for part, many in ((queues, for_queues), (workers, for_workers)):
        if many:
            lines += [Text(""), _tabulated(part, many)]
    return Group(*lines, _line("q ends this", "dim"))


def _line(text: str, style: str) -> Text:
    from rich.text import Text

    return Text(printable(text), style, no_wrap=True, overflow="ellipsis")


def _tabulated(part: Part, many: int) -> Table:
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for at, column in enumerate(part.columns):
        side: Any = "right" if column in part.right else "left"
        # What does not fit is cut off the last column, where it is the one of words.
        words = column == part.columns[-1] and side == "left"
        longest = max(len(row[at]) for row in [part.columns, *part.rows[:many]])
        width = None if words else min(longest, WIDEST)
        shown.add_column(column, justify=side, no_wrap=True, overflow="ellipsis", min_width=width)
    for row in part.rows[:many]:
        shown.add_row(*(_cell(part.columns[at], cell) for at, cell in enumerate(row)))
    return shown


def _cell(column: str, cell: str) -> Text:
    from rich.text import Text

    alarms = column in ALARMS and bool(cell)
    return Text(printable(cell), "bold red" if alarms else "")


ALARMS: Sequence[str] = ("parked", "dead")
