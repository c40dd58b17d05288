"""The invariants of the design, held against the tables and the outside's own books.

Nothing of the system's own rules is used here: what a flow's steps are, what undoes them and what
a cancellation costs is said once more. `orders` and `money` hold for any flow, `shop`, `food`,
`travel` and `renewal` for what is theirs, `promises` and `machine` for a simulated world;
`files.check_settled` holds them against files that a system has left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conveyor.testing.invariants import (
    food,
    machine,
    money,
    orders,
    promises,
    renewal,
    shop,
    travel,
)
from conveyor.testing.invariants.evidence import TERMINAL, Lived
from conveyor.testing.town import FOREIGN_FLOW

if TYPE_CHECKING:
    from conveyor.testing.world import World

OF_ALL = (shop.check_stock, food.check_meals, travel.check_seats, renewal.check_periods)
OF_ONE_AT_ITS_END = (orders.check_story, money.check_money)


def check(world: World) -> None:
    """Hold everything against what a story has left; what is broken is said to the world."""
    left = Lived(world)
    for said in world.outside.said:
        name, _, what = said.partition(": ")
        # What a backup has forgotten may be decided otherwise, with the same key.
        if not (world.restored and name == "same_key_same_body"):
            world.say(name, what)
    machine.check_processes(world)
    machine.check_causes(world)
    machine.check_asking(world)
    machine.check_garbage(world)
    promises.check_answered(world)
    promises.check_followers(world)
    orders.check_owed(left)
    rows = [row for row in left.records("orders") if row["flow"] != FOREIGN_FLOW.key]
    # Who was cancelled before it asked for that money again: the audit tells of it.
    paid = {row["order_id"] for row in left.records("payments")}
    excused = world.forgotten | (world.unpaid - paid)
    for row in rows:
        orders.check_versions(left, row)
        if row["status"] in TERMINAL and row["id"] not in excused:
            for check_one in OF_ONE_AT_ITS_END:
                check_one(left, row)
            shop.check_parcel(world, row)
    promises.check_forward(world, rows)
    promises.check_refunded(world, rows)
    for check_all in OF_ALL:
        check_all(left, rows)
    renewal.check_months(world, left, rows)
    if not world.story.faults:
        machine.check_calm(world)
