"""What is misspelt in the environment has no effect, and would else be found out much later."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches

import click

from conveyor.entrypoints.cli.output import note
from conveyor.entrypoints.cli.target import KEY_VARIABLE

PREFIX = "CONVEYOR_"


def warn_of_unknown_settings(program: click.Group) -> None:
    """Name each variable that begins with `CONVEYOR_` and that nothing reads."""
    for name, meant in unknown_settings(program).items():
        hint = f": did you mean {meant}?" if meant else "."
        note(f"Warning: {name} is no setting of Conveyor{hint}")


def unknown_settings(program: click.Group) -> dict[str, str]:
    """Give the variables that nothing reads, each with what may have been meant, or ''."""
    ours = [name for name in os.environ if name.upper().startswith(PREFIX)]
    known = {KEY_VARIABLE, *_of_options(program)}
    if known.issuperset(ours):
        return {}
    from conveyor.settings import Settings

    known.update(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)
    unknown = {name for name in ours if name.upper() not in known}
    return {
        name: next(iter(get_close_matches(name.upper(), known, n=1)), "")
        for name in sorted(unknown)
    }


def _of_options(command: click.Command) -> Iterator[str]:
    """Give the variables that options read."""
    for parameter in command.params:
        if isinstance(parameter.envvar, str):
            yield parameter.envvar
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _of_options(inner)
