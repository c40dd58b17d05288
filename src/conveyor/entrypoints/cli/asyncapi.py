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
    from conveyor.entrypoints.asyncapi import describe
    from conveyor.extension import Dependencies
    from conveyor.settings import Settings
    from conveyor.system.installation import installation
    from conveyor.system.opening import ambient_of
    from conveyor.system.ports import OpenPorts

    settings = Settings(data=data)
    installed = installation(settings)
    nobody = OpenPorts({}, {})  # steps are described, and not taken
    steps = installed.steps(
        Dependencies(settings, ambient_of(MachineClock()), nobody, installed.payers)
    )
    click.echo(json.dumps(describe(installed, steps), indent=2))
