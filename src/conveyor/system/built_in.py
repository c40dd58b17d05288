"""The flows that ship with Conveyor, in the order in which they are shown; each a line.

By their names: what puts a system together knows nothing of them but what they say of themselves.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conveyor.extension import Extension

FLOWS = (
    "conveyor.flows.shop",
    "conveyor.flows.food",
    "conveyor.flows.travel",
    "conveyor.flows.renewal",
)


@cache
def built_in() -> tuple[Extension, ...]:
    """Give what all flows share, and the extension of each."""
    from conveyor.system import commerce

    return (commerce.EXTENSION, *(import_module(f"{it}.extension").EXTENSION for it in FLOWS))
