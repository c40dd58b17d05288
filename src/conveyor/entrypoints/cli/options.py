"""Options that many commands share, and how a command runs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="CONVEYOR_DATA",
    default=Path("conveyor-data"),
    show_default=True,
    metavar="DIR",
    help="Directory of the embedded files.",
)
server_option = click.option(
    "--server",
    envvar="CONVEYOR_SERVER",
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
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a machine.")
host_option = click.option(
    "--host",
    envvar="CONVEYOR_HOST",
    default="127.0.0.1",
    show_default=True,
    help="Address to bind.",
)
port_option = click.option(
    "--port",
    envvar="CONVEYOR_PORT",
    type=click.IntRange(0, 65_535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)


def reaching(function: F) -> F:
    """Add the options that say which system a command talks to, and hand them over as `reach`."""

    @server_option
    @data_option
    @merchant_option
    @functools.wraps(function)
    def command(*args: Any, server: str, data: Path, merchant: str, **others: Any) -> Any:  # noqa: ANN401 - click's own
        from conveyor.entrypoints.cli.reach import Reach

        return function(*args, reach=Reach(data, server.rstrip("/"), merchant), **others)

    return command  # type: ignore[return-value]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; Ctrl-C cancels it and lets it clean up."""
    try:
        from uvloop import new_event_loop
    except ImportError:  # not made for this system
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)
