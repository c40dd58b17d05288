"""Bugs to plant: what the simulator must find, and how many stories it takes.

    python -m conveyor.testing.planted                       # all of them, a table
    python -m conveyor.testing.planted no_fence clock_steps  # these
    python -m conveyor.testing.planted --database postgresql://...  # those that only locks show

Each is one function, or a few, put in place of others, as a tired engineer would have written it;
some bring back what the system once did.
"""

from __future__ import annotations

from conveyor.testing.drawing import draw
from conveyor.testing.planted import calling_out, deciding, delivering, locking, serving
from conveyor.testing.planted.planting import Planted
from conveyor.testing.rush import draw_rush
from conveyor.testing.world import World

BUGS: tuple[Planted, ...] = (
    *calling_out.BUGS,
    *delivering.BUGS,
    *deciding.BUGS,
    *serving.BUGS,
)
OF_LOCKS: tuple[Planted, ...] = locking.BUGS
"""These only a real PostgreSQL can show."""
FIRST_SEED = 1


def runs_until_found(world: World, bug: Planted, most: int) -> tuple[int, str]:
    """Live stories with the bug until it shows; gives how many, and what showed (0: nothing)."""
    draws = draw_rush if bug.rush else draw
    with bug.in_place():
        for run in range(1, most + 1):
            found = world.play(draws(FIRST_SEED + run - 1, bug.flow)).violations
            if found:
                return run, found[0].name
    return 0, ""
