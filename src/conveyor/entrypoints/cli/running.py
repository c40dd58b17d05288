"""`conveyor up`, `serve` and `work`: the long-running processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conveyor.entrypoints.cli.options import (
    data_option,
    host_option,
    json_option,
    port_option,
    run,
)
from conveyor.entrypoints.cli.output import note

if TYPE_CHECKING:
    from conveyor.entrypoints.process import Ready

ALL = "all"


@click.command()
@data_option
@host_option
@port_option
@json_option
def up(data: Path, host: str, port: int, *, as_json: bool) -> None:
    """Run the API and all services in one process.

    The first start makes an API key and shows it once. Ctrl-C stops when what is under way is
    finished; a second Ctrl-C stops at once, which loses nothing either. With --json one line on
    standard output says when it is ready, and where.
    """
    run_and_announce(data, host, port, as_json=as_json)


def run_and_announce(data: Path, host: str, port: int, *, as_json: bool) -> None:
    """Run everything until a signal."""
    from conveyor.entrypoints.process import run_up

    run(run_up(_settings(data), host, port, lambda ready: _announce(ready, as_json=as_json)))


@click.command()
@data_option
@host_option
@port_option
@json_option
def serve(data: Path, host: str, port: int, *, as_json: bool) -> None:
    """Run the API alone.

    `conveyor work` does the rest. For PostgreSQL: one process owns an embedded database, and that
    is `conveyor up`.
    """
    from conveyor.entrypoints.process import run_serve

    run(run_serve(_settings(data), host, port, lambda ready: _announce(ready, as_json=as_json)))


@click.command()
@click.argument("services", nargs=-1, required=True, metavar="SERVICE...")
@data_option
@json_option
def work(services: tuple[str, ...], data: Path, *, as_json: bool) -> None:
    """Run services without the API.

    One or more of orders, payments, inventory, shipping and those that installed packages add, or
    `all`. Any number of processes may run the same service. `orders` serves the intake queue as
    well.
    """
    from conveyor.entrypoints.process import run_work
    from conveyor.system.installation import installation

    settings = _settings(data)
    everything = installation(settings)
    installed = everything.services
    for name in services:
        if name in everything.external:
            raise click.BadParameter(f"{name!r} is external: a process of yours serves its queue")
        if name not in (*installed, ALL):
            raise click.BadParameter(f"no service {name!r}; there are {', '.join(installed)}, all")
    wanted = installed if ALL in services else tuple(dict.fromkeys(services))
    run(run_work(settings, wanted, lambda ready: _announce(ready, as_json=as_json)))


def _settings(data: Path):  # type: ignore[no-untyped-def]  # noqa: ANN202 - imported when needed
    from conveyor.settings import Settings

    return Settings(data=data)


def _announce(ready: Ready, *, as_json: bool) -> None:
    from dataclasses import asdict

    import orjson

    from conveyor.entrypoints.server_file import is_here
    from conveyor.operations.missing_flows import in_words

    if ready.missing_flows:
        note(f"Warning: {in_words(ready.missing_flows)}")
    if as_json:
        click.echo(orjson.dumps(asdict(ready) | {"pid": os.getpid()}).decode())
        return
    where = f" at {ready.url} (documentation at {ready.url}/docs)" if ready.url else ""
    if ready.first_key:
        note(f"Your API key, shown this once:\n  {ready.first_key}")
    what = ", ".join(ready.services) or "the API alone"
    note(f"Conveyor is ready{where}: {what}. Ctrl-C stops it.")
    if ready.data:
        note(f"Its data are in {ready.data}.")
        if not is_here(ready.url):
            note(
                f"Commands need --server {ready.url} and a key: they look for it on loopback alone."
            )
