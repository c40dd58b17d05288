"""Machines on virtual time for one flow: what others look for each second costs them hours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from conveyor.settings import Settings
from conveyor.system.installation import Installation, installation
from conveyor.testing.virtual import Machine


@cache
def only(*flows: str) -> Installation:
    """Give all that is built in, in which the loops of these flows alone run."""
    return installation(Settings()).looping(flows)


def machine_of(flow: str, directory: Path, settings: Mapping[str, Any] | None = None) -> Machine:
    """Give a machine on which everything is installed, and this flow's loops alone run."""
    return Machine(directory, settings, only(flow))
