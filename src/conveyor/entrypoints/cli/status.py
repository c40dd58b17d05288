"""`conveyor status`: one look at a system, and whether it needs somebody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from conveyor.entrypoints.cli.errors import PROBLEM
from conveyor.entrypoints.cli.options import json_option, run, with_target
from conveyor.entrypoints.cli.output import emit, say, table

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.status_view import View
    from conveyor.entrypoints.cli.target import Target
    from conveyor.entrypoints.client import Client

PATH = "/v1/overview"
PATIENCE_SECONDS = 10.0
"""For what happened in the last minutes to be read, where much has."""
AGAIN_SECONDS = 0.5


@click.command()
@with_target
@json_option
def status(target: Target, *, as_json: bool) -> None:
    """Show how everything stands, and what needs somebody; exit code 1 when something does.

    Flows with what waits, is in work or parked and for how long, queues, processes and providers.
    A key that has not the scope audit beside operate sees its merchant's orders alone.
    """
    view = run(_look(target))
    emit(view, as_json=as_json, show=_show)
    if not view["ok"]:
        raise click.exceptions.Exit(PROBLEM)


async def _look(target: Target) -> View:
    async with target.client() as client:
        return await look(client)


async def look(client: Client) -> View:
    """Ask, and again while it is still read what has happened."""
    view: View = await client.get(PATH)
    for _ in range(round(PATIENCE_SECONDS / AGAIN_SECONDS)):
        if view["placed_a_minute"] is not None:
            break
        await asyncio.sleep(AGAIN_SECONDS)
        view = await client.get(PATH)
    return view


def _show(view: View) -> None:
    from conveyor.entrypoints.cli import status_view

    say(status_view.heading(view) + ".")
    say(status_view.verdict(view))
    for need in view["needs"]:
        say(f"  {need['subject']}: {need['says']}.")
        say(f"    {need['todo']}.")
    for part in (
        status_view.flows_of(view),
        status_view.queues_of(view),
        status_view.workers_of(view),
    ):
        if part.rows:
            table(part.columns, part.rows, right=part.right)
    for line in status_view.rest_of(view):
        say(line)
