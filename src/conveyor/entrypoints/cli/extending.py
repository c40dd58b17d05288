"""Commands that flows bring: those of ours, and of the packages that extend us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

import click

from conveyor.system.built_in import FLOWS


def commands_of_flows() -> Iterator[click.Command]:
    """Give those of our own flows, without loading the flows: most commands ask a server."""
    for flow in FLOWS:
        yield from import_module(f"{flow}.cli").COMMANDS


@cache
def commands_of_extensions() -> Mapping[str, click.Command]:
    """Give those of other packages, by their names. Raises `ExtensionError`."""
    from conveyor.settings import Settings
    from conveyor.system.extension_loading import listed, load

    found: dict[str, click.Command] = {}
    for extension in load(Settings().extensions):
        for command in listed(extension.name, extension.commands):
            found[str(command.name)] = command
    return found
