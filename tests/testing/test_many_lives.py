"""Some hundreds of disturbed lives, of every flow: nothing may break in any of them."""

from __future__ import annotations

from functools import cache

import pytest

from conveyor.testing.drawing import draw
from conveyor.testing.story import FLOWS
from conveyor.testing.world import World

LIVES = 25
PARTS = 3


@cache
def world() -> World:
    return World()


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("flow", [*FLOWS, "all"])
def test_nothing_breaks(flow: str, part: int) -> None:
    for seed in range(part * LIVES, (part + 1) * LIVES):
        violations = world().play(draw(seed, flow)).violations
        assert not violations, f"python -m conveyor.testing.simulate --flow {flow} --replay {seed}"
