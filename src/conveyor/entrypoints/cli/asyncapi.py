"""`conveyor asyncapi`: what goes over the queues, for programs."""

from __future__ import annotations

from pathlib import Path

import click

from conveyor.entrypoints.cli.options import data_option


@click.command()
@data_option
def asyncapi(data: Path) -> None:
    """Print the AsyncAPI 3 document of the queues and their messages.

    It has what is installed here, with the flows and services of packages of yours.
    """
    import json

    from conveyor.adapters.steady_clock import MachineClock
    from conveyor.app.bindings import described
    from conveyor.app.installation import installation
    from conveyor.app.opening import ambient_of
    from conveyor.entrypoints.asyncapi import describe
    from conveyor.settings import Settings

    settings = Settings(data=data)
    installed = installation(settings)
    steps = described(settings, ambient_of(MachineClock()), installed)
    click.echo(json.dumps(describe(installed, steps), indent=2))
