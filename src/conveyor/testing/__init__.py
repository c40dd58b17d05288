"""For our own tests and for those of packages that extend us: see docs/prove-your-flow.md.

`prove`, `storm` and `purge` let orders of a flow of yours live under misfortune; `Machine` is a
system on virtual time, for tests of your own; `python -m conveyor.testing.simulate --help` says how
to simulate thousands of lives, of our flows or of yours.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conveyor.testing.proving import Life, UnprovenError, prove, purge, storm, until
    from conveyor.testing.virtual import Machine

__all__ = ["Life", "Machine", "UnprovenError", "prove", "purge", "storm", "until"]


def __getattr__(name: str) -> Any:
    # Imported where they are asked for: the simulator needs neither, and starts its processes anew.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "virtual" if name == "Machine" else "proving"
    return getattr(import_module(f"{__name__}.{home}"), name)
