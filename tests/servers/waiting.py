"""Waiting for what another process does, and leaving it the processor meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
FIRST_REST_SECONDS = 0.01
LAST_REST_SECONDS = 0.2
"""A look may be a whole command: so seldom it leaves the machine to those that are looked at."""
GROWTH = 1.5


def wait_until(
    look: Callable[[], T], is_so: Callable[[T], bool], seconds: float = PATIENCE_SECONDS
) -> T:
    """Look until it is so, ever more seldom; gives what was seen last, and fails with it."""
    give_up_at = time.monotonic() + seconds
    rest = FIRST_REST_SECONDS
    while not is_so(seen := look()):
        assert time.monotonic() < give_up_at, seen
        time.sleep(rest)
        rest = min(rest * GROWTH, LAST_REST_SECONDS)
    return seen
