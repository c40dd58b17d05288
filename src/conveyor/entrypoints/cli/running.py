"""`conveyor up`, `serve` and `work`: the long-running processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conveyor.entrypoints.cli.options import (
    data_option,
    host_option,
    json_option,
    metrics_host_option,
    metrics_port_option,
    parent_option,
    port_option,
    processes_option,
    run,
)
from conveyor.entrypoints.cli.output import note

if TYPE_CHECKING:
    from conveyor.entrypoints.process import Ready

ALL = "all"
LAST_PORT = 65_535


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
    from conveyor.entrypoints.serving import run_up

    run(run_up(_settings(data), host, port, lambda ready: announce(ready, as_json=as_json)))


@click.command()
@data_option
@host_option
@port_option
@processes_option
@json_option
@parent_option
@click.option("--listener", type=int, hidden=True)
def serve(
    data: Path,
    host: str,
    port: int,
    processes: int,
    listener: int | None,
    *,
    as_json: bool,
    under_parent: bool,
) -> None:
    """Run the API alone.

    `conveyor work` does the rest. For PostgreSQL: one process owns an embedded database, and that
    is `conveyor up`. Each of several processes has connections of its own to the database, and
    /metrics tells of the one that answers.
    """
    from conveyor.entrypoints.process import require_shared
    from conveyor.entrypoints.server import listen, listening_on

    settings = _settings(data)
    require_shared(settings)
    with listen(host, port) if listener is None else listening_on(listener) as here:
        if processes > 1:
            arguments = ("serve", "--data", str(data), "--listener", str(here.fileno()))
            _run_many(processes, arguments, as_json=as_json, files=(here.fileno(),))
        else:
            # Here, since the parent of several serves nothing.
            from conveyor.entrypoints.serving import run_serve

            tell = partial(announce, as_json=as_json)
            run(run_serve(settings, here, tell, parent=under_parent))


@click.command()
@click.argument("services", nargs=-1, required=True, metavar="SERVICE...")
@data_option
@processes_option
@metrics_port_option
@metrics_host_option
@json_option
@parent_option
def work(
    services: tuple[str, ...],
    data: Path,
    processes: int,
    metrics_port: int | None,
    metrics_host: str,
    *,
    as_json: bool,
    under_parent: bool,
) -> None:
    """Run services without the API.

    One or more of orders, payments, inventory, shipping and those that installed packages add, or
    `all`. Any number of processes may run the same service. `orders` serves the intake queue as
    well. With --metrics-port a process answers /metrics, /healthz and /readyz, to anybody.
    """
    from conveyor.entrypoints.process import require_shared, run_work
    from conveyor.entrypoints.server import listen
    from conveyor.system.installation import installation

    settings = _settings(data)
    everything = installation(settings)
    installed = everything.services
    for name in services:
        if name in everything.external:
            raise click.BadParameter(f"{name!r} is external: a process of yours serves its queue")
        if name not in (*installed, ALL):
            raise click.BadParameter(f"no service {name!r}; there are {', '.join(installed)}, all")
    require_shared(settings)
    if processes > 1:
        ports = _ports(metrics_host, metrics_port, processes)
        arguments = ("work", *services, "--data", str(data))
        _run_many(processes, arguments, as_json=as_json, of_each=ports)
        return
    wanted = installed if ALL in services else tuple(dict.fromkeys(services))
    tell = partial(announce, as_json=as_json)
    with nullcontext() if metrics_port is None else listen(metrics_host, metrics_port) as here:
        run(run_work(settings, wanted, here, tell, parent=under_parent))


def _ports(host: str, port: int | None, processes: int) -> Callable[[int], Sequence[str]]:
    """Give what says to each process which port is its own, where the first one has `port`."""
    if port is None:
        return lambda _: ()
    if not port or port + processes - 1 > LAST_PORT:
        raise click.BadParameter(f"--metrics-port {port} leaves none for {processes} processes")
    return lambda number: ("--metrics-host", host, "--metrics-port", str(port + number - 1))


def _run_many(
    count: int,
    arguments: Sequence[str],
    *,
    as_json: bool,
    files: Sequence[int] = (),
    of_each: Callable[[int], Sequence[str]] = lambda _: (),
) -> None:
    import orjson

    from conveyor.entrypoints.fleet import Fleet
    from conveyor.entrypoints.process import Ready

    def tell(line: bytes) -> None:
        said = orjson.loads(line)
        del said["pid"], said["processes"]  # they are one's own
        announce(Ready(**said), as_json=as_json, processes=count)

    fleet = Fleet(count, (*arguments, "--json", "--under-parent"), note, files, of_each)
    run(fleet.run(tell))


def _settings(data: Path):  # type: ignore[no-untyped-def]  # noqa: ANN202 - imported when needed
    from conveyor.settings import Settings

    return Settings(data=data)


def announce(ready: Ready, *, as_json: bool, processes: int = 1) -> None:
    """Say that a process is ready, and where."""
    from dataclasses import asdict

    import orjson

    from conveyor.entrypoints.server_file import is_here
    from conveyor.operations.missing_flows import in_words

    if ready.missing_flows and processes == 1:  # else each of them has said so
        note(f"Warning: {in_words(ready.missing_flows)}")
    if as_json:
        ours = {"pid": os.getpid(), "processes": processes}
        click.echo(orjson.dumps(asdict(ready) | ours).decode())
        return
    where = f" at {ready.url} (documentation at {ready.url}/docs)" if ready.url else ""
    if ready.first_key:
        note(f"Your API key, shown this once:\n  {ready.first_key}")
    what = ", ".join(ready.services) or "the API alone"
    in_many = f", in {processes} processes" if processes > 1 else ""
    note(f"Conveyor is ready{where}: {what}{in_many}. Ctrl-C stops it.")
    if ready.metrics:
        others = ", those of the others at the ports after it" if processes > 1 else ""
        note(f"Its figures are at {ready.metrics}{others}.")
    if ready.console:
        note(f"Its console, with a link that signs in once:\n  {ready.console}")
    if ready.data:
        note(f"Its data are in {ready.data}.")
        if not is_here(ready.url):
            note(
                f"Commands need --server {ready.url} and a key: they look for it on loopback alone."
            )
