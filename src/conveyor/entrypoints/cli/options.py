"""Options that many commands share, and how a command runs."""

from __future__ import annotations

import asyncio
import functools
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from conveyor.core.untyped import Foreign

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
INTERRUPTED = 130
"""The exit code of what Ctrl-C has ended."""
MOST_PROCESSES = 128
"""Under one parent; a larger number is more likely a mistake than a machine."""

_ID = re.compile("[0-9A-Za-z_-]+")


def an_id(_context: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Turn away what would be more, or less, than one segment of a path of the API."""
    if value is not None and not _ID.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no id.")
    return value


data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="CONVEYOR_DATA",
    show_envvar=True,
    default=Path("conveyor-data"),
    show_default=True,
    metavar="DIR",
    help="Directory of the embedded files.",
)
server_option = click.option(
    "--server",
    envvar="CONVEYOR_SERVER",
    show_envvar=True,
    default="",
    metavar="URL",
    help="The running server to talk to; default: the one that owns --data, if any.",
)
merchant_option = click.option(
    "--merchant",
    default="",
    metavar="NAME",
    help="Whose orders, stock and keys, when no API key says so; default: default.",
)
limit_option = click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most."
)
why_option = click.option(
    "--why", default="", metavar="TEXT", help="Kept in the log of what operators did."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a machine.")
processes_option = click.option(
    "--processes",
    type=click.IntRange(1, MOST_PROCESSES),
    default=1,
    show_default=True,
    help="Run so many under one parent, which starts again what dies.",
)
parent_option = click.option("--under-parent", is_flag=True, hidden=True)
host_option = click.option(
    "--host",
    envvar="CONVEYOR_HOST",
    show_envvar=True,
    default="127.0.0.1",
    show_default=True,
    help="Address to bind.",
)
port_option = click.option(
    "--port",
    envvar="CONVEYOR_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65_535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)


metrics_host_option = click.option(
    "--metrics-host",
    envvar="CONVEYOR_METRICS_HOST",
    show_envvar=True,
    default="127.0.0.1",
    show_default=True,
    help="Address of --metrics-port.",
)
metrics_port_option = click.option(
    "--metrics-port",
    envvar="CONVEYOR_METRICS_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65_535),
    help="Tell Prometheus of this process at /metrics of this port; 0 takes a free one. With "
    "--processes the others take the ports after it: each is asked by itself, so that Prometheus "
    "knows which of them does not answer, and a counter that begins anew is seen to.",
)


archive_option = click.option(
    "--archive",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Directory of the archive, where no server runs; default: CONVEYOR_ARCHIVE.",
)


def with_target(function: F) -> F:
    """Add the options that say which system a command talks to, and hand them over as `reach`."""

    @server_option
    @data_option
    @merchant_option
    @functools.wraps(function)
    def command(
        *args: Foreign, server: str, data: Path, merchant: str, **others: Foreign
    ) -> Foreign:
        from conveyor.entrypoints.cli.target import Target

        return function(*args, target=Target(data, server.rstrip("/"), merchant), **others)

    return command  # type: ignore[return-value]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; Ctrl-C cancels it and lets it clean up, a second ends at once."""
    with _runner() as runner, _interrupting(runner.get_loop()) as interrupted:
        try:
            return runner.run(_watched(work, interrupted))
        except asyncio.CancelledError:
            if interrupted.asked:
                raise KeyboardInterrupt from None
            raise


def _runner() -> asyncio.Runner:
    try:
        from uvloop import new_event_loop
    except ImportError:  # not made for this system
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=new_event_loop)


@dataclass(slots=True)
class _Interrupted:
    task: asyncio.Task[Any] | None = None
    asked: bool = False


async def _watched(work: Coroutine[Any, Any, T], interrupted: _Interrupted) -> T:
    interrupted.task = asyncio.current_task()
    if interrupted.asked:
        work.close()
        raise asyncio.CancelledError
    return await work


@contextmanager
def _interrupting(loop: asyncio.AbstractEventLoop) -> Iterator[_Interrupted]:
    """Count what Ctrl-C asks for: asyncio's own second one breaks into whatever cleans up."""
    interrupted = _Interrupted()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def ask(_number: int, _frame: object) -> None:
        if interrupted.asked:
            sys.stderr.write("Stopped at once; nothing is lost.\n")
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        interrupted.asked = True
        if interrupted.task:
            loop.call_soon_threadsafe(interrupted.task.cancel)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
