"""Bugs to plant: what the simulator must find, and how many stories it takes.

    python -m conveyor.testing.planted                       # all of them, a table
    python -m conveyor.testing.planted no_fence clock_steps  # these

Each is one function, or a few, put in place of others, as a tired engineer would have written it;
some bring back what the system once did.
"""

from __future__ import annotations

from conveyor.testing.drawing import draw
from conveyor.testing.planted import calling_out, deciding, delivering, serving
from conveyor.testing.planted.planting import Planted
from conveyor.testing.world import World

BUGS: tuple[Planted, ...] = (
    *calling_out.BUGS,
    *delivering.BUGS,
    *deciding.BUGS,
    *serving.BUGS,
)
FIRST_SEED = 1


def runs_until_found(world: World, bug: Planted, most: int) -> tuple[int, str]:
    """Live stories with the bug until it shows; gives how many, and what showed (0: nothing)."""
    with bug.in_place():
        for run in range(1, most + 1):
            found = world.play(draw(FIRST_SEED + run - 1, bug.flow)).violations
            if found:
                return run, found[0].name
    return 0, ""
