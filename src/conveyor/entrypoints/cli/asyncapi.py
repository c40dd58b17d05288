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
    from conveyor.app.installation import installation
    from conveyor.app.opening import ambient_of
    from conveyor.entrypoints.asyncapi import describe
    from conveyor.extension import Given, Nobody
    from conveyor.settings import Settings

    settings, nobody = Settings(data=data), Nobody()
    installed = installation(settings)
    given = Given(settings, ambient_of(MachineClock()), nobody, nobody, installed.payers)
    click.echo(json.dumps(describe(installed, installed.steps(given)), indent=2))
