"""`conveyor console`: a link that opens the console in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from conveyor.entrypoints.cli.errors import MisuseError
from conveyor.entrypoints.cli.options import run, with_target
from conveyor.entrypoints.cli.output import say

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

_NO_SERVER = "`conveyor up` runs one; that of `conveyor serve` takes an API key at /console."


@click.command()
@with_target
def console(target: Target) -> None:
    """Print a link that opens the console, and signs in once.

    For the server that owns --data: whoever may read that directory may look at all of it. The link
    is good for a quarter of an hour.
    """
    say(run(_link(target)))


async def _link(target: Target) -> str:
    async with target.running() as client:
        if client is None:
            raise MisuseError("no server runs here.", _NO_SERVER)
        answer = await client.post("/console/links")
        return f"{client.url}{answer['path']}"
