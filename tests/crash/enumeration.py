"""Crashes a scenario at every point at which that makes a difference, and looks at what is left."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.crash.scenarios import Lived

from conveyor.settings import Settings
from conveyor.system.installation import Installation, installation
from conveyor.testing.crashing import Boundaries, Crash
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import BrokenInvariantError, Machine


def record(scenario: Lived) -> list[str]:
    """Live the scenario without a crash; gives the boundaries it crossed."""
    boundaries = Boundaries()
    with _world(scenario) as world:
        order = world.run(scenario.life(), boundaries)
        assert order.status in scenario.endings
        scenario.check(world.directory)
    return boundaries.names


def durable_points(names: list[str]) -> list[int]:
    """Give the first boundary after each durable effect.

    A crash keeps nothing but the files: two boundaries with no commit, send, receive, delete or
    provider's answer between them are the same crash.
    """
    return [1, *(at for at, name in enumerate(names, 1) if name.startswith("after"))]


def sampled(scenario: Lived, among: Sequence[Lived]) -> int:
    """Give which points to take: each of the first scenario, every other one of those like it.

    They share most of their points with it, and the simulator crashes at all of them by chance.
    """
    return 1 if scenario is among[0] else 2


def crash_at(scenario: Lived, point: int, *, cancel_at_once: bool = False) -> None:
    """Die at this point, start again and let the order settle. Raises `BrokenInvariantError`."""
    with _world(scenario) as world:
        try:
            world.run(scenario.life(), Boundaries(point))
        except Crash:
            check_tokens(world.directory)
        order = world.run(scenario.life(cancel_at_once=cancel_at_once))
        endings = scenario.endings | ({"cancelled"} if cancel_at_once else set())
        if order.status not in endings:
            raise BrokenInvariantError(f"crash {point}: {order.status}, {order.reason}")
        scenario.check(world.directory)


@cache
def _installed() -> Installation:
    return installation(Settings())  # no scenario adds to it


class _world:  # noqa: N801 - reads as the context that it is
    def __init__(self, scenario: Lived) -> None:
        # In memory where the machine has such a directory: nothing here tests the disk.
        shared_memory = Path("/dev/shm")  # noqa: S108 - a fresh directory is made in it
        parent = shared_memory if shared_memory.is_dir() else None
        self._directory = tempfile.TemporaryDirectory(dir=parent, prefix="conveyor-crash-")
        self._scenario = scenario

    def __enter__(self) -> Machine:
        return Machine(Path(self._directory.name), self._scenario.settings, _installed())

    def __exit__(self, *_error: object) -> None:
        self._directory.cleanup()
