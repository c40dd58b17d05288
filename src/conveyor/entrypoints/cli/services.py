"""`conveyor services`: which are paused; pausing them, and letting them go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from conveyor.entrypoints.cli.options import json_option, run, with_target
from conveyor.entrypoints.cli.output import emit, note, say, table

if TYPE_CHECKING:
    from conveyor.core.untyped import Json
    from conveyor.entrypoints.cli.target import Target

PATH = "/v1/services"
COLUMNS = ("service", "state", "processes", "since", "by", "why")


def _some_words(_context: click.Context, _param: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("is empty: say why, for whoever finds it paused.")
    return value.strip()


@click.group()
def services() -> None:
    """See which services are paused; pause one, or let it go on.

    Orders are taken while a service is paused, and wait where it would have its turn.
    """


@services.command("list")
@with_target
@json_option
def list_(target: Target, *, as_json: bool) -> None:
    """List all services, and say which are paused: since when, by whom and why."""
    found = run(_ask(target, "GET", PATH))["services"]
    emit(found, as_json=as_json, show=_show)


@services.command()
@click.argument("service")
@click.option(
    "--because",
    "reason",
    required=True,
    metavar="TEXT",
    callback=_some_words,
    help="Why; shown wherever the service is found paused, and kept in the log of operators.",
)
@with_target
@json_option
def pause(service: str, reason: str, target: Target, *, as_json: bool) -> None:
    """Take no more steps of SERVICE, in whichever process, until it is resumed.

    Orders are taken as before. Its messages stay in its queue, and cost no tries; what a process
    has in hand comes to its end. Deadlines go on: an order that would have had its answer by then
    finds that it is late. To pause a service takes a key with the scopes operate and audit.
    """
    path = f"{PATH}/{quote(service, safe='')}/pause"
    emit(run(_ask(target, "POST", path, {"reason": reason})), as_json=as_json, show=_paused)


@services.command()
@click.argument("service")
@click.option("--because", default="", metavar="TEXT", help="Kept in the log of operators.")
@with_target
@json_option
def resume(service: str, because: str, target: Target, *, as_json: bool) -> None:
    """Let SERVICE go on: what has waited for it is taken."""
    path = f"{PATH}/{quote(service, safe='')}/resume"
    emit(run(_ask(target, "POST", path, why=because)), as_json=as_json, show=_resumed)


async def _ask(target: Target, method: str, path: str, body: Json = None, why: str = "") -> Json:
    async with target.client() as client:
        query = {"why": why} if why else None
        return (await client.send(method, path, body, query=query))[0]


def _show(found: Iterable[Mapping[str, Any]]) -> None:
    rows = []
    for one in found:
        paused = one["paused"] or {}
        state = "paused" if paused else "goes on"
        told = (paused.get(name) for name in ("since", "by", "why"))
        rows.append((one["name"], state, one["workers"], *told))
    table(COLUMNS, rows, right=("processes",), spare="why")


def _paused(answer: Mapping[str, Any]) -> None:
    service, paused = answer["service"], answer["service"]["paused"]
    if not answer["changed"] and paused:
        since = f"since {paused['since']} by {paused['by']}: {paused['why']}"
        say(f"{service['name']} is paused already, {since}.")
        return
    say(f"{service['name']} is paused.")
    if service["workers"]:
        seconds, many = answer["within_seconds"], service["workers"]
        note(f"Processes that serve it, and see that within {seconds:g} s: {many:,}.")
    else:
        note("No process that is known serves it now; Lambda functions do not look (see the docs).")


def _resumed(answer: Mapping[str, Any]) -> None:
    name = answer["service"]["name"]
    say(f"{name} goes on." if answer["changed"] else f"{name} was not paused.")
