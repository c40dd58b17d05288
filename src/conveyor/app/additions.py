"""The flows beside the shop's, in the order in which they are shown."""

from __future__ import annotations

from conveyor.app.addition import Addition

ADDITIONS: tuple[type[Addition], ...] = ()
