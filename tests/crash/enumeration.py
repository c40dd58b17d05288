"""Crashes a scenario at every point at which that makes a difference, and looks at what is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from tests.crash.scenarios import Lived
from tests.flows.machines import only
from tests.servers.memory import directory_in_memory

from conveyor.testing.crashing import Boundaries, Crash
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import BrokenInvariantError, Machine

OTHER, SIXTH = 2, 6

both_ways = pytest.mark.parametrize("rides", [True, False], ids=["riding", "by-queue"])
"""Orders ride on, or each step comes from its queue."""
both_ways_at_points = pytest.mark.parametrize(
    ("rides", "every"),
    [
        pytest.param(True, 1, id="riding"),
        pytest.param(False, SIXTH, id="by-queue"),
        pytest.param(False, 1, id="by-queue-each", marks=pytest.mark.soak),
    ],
)
"""Orders that ride die at each point. Of those that do not it is the first scenario's: the others
die at every sixth, as each step has all kinds of points once more, and at each in `make soak`; see
`sampled`."""


def record(scenario: Lived, *, rides: bool = False) -> list[str]:
    """Live the scenario without a crash; gives the boundaries it crossed."""
    boundaries = Boundaries()
    with _world(scenario, rides=rides) as world:
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


def sampled(scenario: Lived, among: Sequence[Lived], every: int) -> int:
    """Give which points to take: each of the first scenario, every so many of those like it.

    They share most of their points with it, and the simulator crashes at all of them by chance.
    """
    return 1 if scenario is among[0] else every


def crash_at(
    scenario: Lived, point: int, *, rides: bool = False, cancel_at_once: bool = False
) -> None:
    """Die at this point, start again and let the order settle. Raises `BrokenInvariantError`."""
    with _world(scenario, rides=rides) as world:
        try:
            world.run(scenario.life(), Boundaries(point))
        except Crash:
            check_tokens(world.directory)
        order = world.run(scenario.life(cancel_at_once=cancel_at_once))
        endings = scenario.endings | ({"cancelled"} if cancel_at_once else set())
        if order.status not in endings:
            raise BrokenInvariantError(f"crash {point}: {order.status}, {order.reason}")
        scenario.check(world.directory)


@contextmanager
def _world(scenario: Lived, *, rides: bool) -> Iterator[Machine]:
    with directory_in_memory() as directory:
        yield Machine(directory, scenario.settings | {"ride_on": rides}, only(scenario.flow))
