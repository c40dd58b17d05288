"""The invariants of the design, held against the tables and the outside's own books.

Nothing of the system's own rules is used here: what a flow's steps are, what undoes them and what
a cancellation costs is said once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conveyor.testing.invariants import goods, machine, money, orders
from conveyor.testing.town import FOREIGN_FLOW

if TYPE_CHECKING:
    from conveyor.testing.world import World

OF_ALL = (
    orders.check_forward,
    goods.check_goods,
    goods.check_meals,
    goods.check_seats,
    money.check_periods,
)
OF_ONE_AT_ITS_END = (orders.check_story, money.check_money)


def check(world: World) -> None:
    """Hold everything against what a story has left; what is broken is said to the world."""
    for said in world.outside.said:
        name, _, what = said.partition(": ")
        # What a backup has forgotten may be decided otherwise, with the same key.
        if not (world.restored and name == "same_key_same_body"):
            world.say(name, what)
    machine.check_processes(world)
    machine.check_causes(world)
    machine.check_asking(world)
    machine.check_garbage(world)
    orders.check_answered(world)
    orders.check_owed(world)
    orders.check_followers(world)
    rows = [row for row in world.store.records("orders") if row["flow"] != FOREIGN_FLOW.key]
    for row in rows:
        orders.check_versions(world, row)
        if row["status"] in orders.TERMINAL and row["id"] not in world.forgotten:
            for check_one in OF_ONE_AT_ITS_END:
                check_one(world, row)
    for check_all in OF_ALL:
        check_all(world, rows)
    if not world.story.faults:
        machine.check_calm(world)
