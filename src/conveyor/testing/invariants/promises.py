"""What was promised to those outside a simulated story: answers, turning back, being told."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from conveyor.commerce.orders.intake_consumer import INTAKE
from conveyor.core.queue import DEAD_LETTER_SUFFIX
from conveyor.testing.fate import FORWARD
from conveyor.testing.invariants.evidence import went_through

if TYPE_CHECKING:
    from conveyor.testing.invariants.evidence import Row
    from conveyor.testing.world import World

NUMBERED = re.compile(r"n\d+")
"""What a customer with a number orders is referred to so."""
_GIVEN_UP = "SELECT order_id FROM timeline WHERE event = 'discarded'"
TURN_SECONDS = 3.0
"""How long after it was promised that an order turns back a request forward may still leave."""


def check_answered(world: World) -> None:
    """1 and 2: who was answered has an order, and one only."""
    found = defaultdict(list)
    for order_id, reference in world.store.rows("SELECT id, reference FROM orders"):
        found[reference].append(order_id)
    if world.restored:
        return
    for number, order_id in world.answered.items():
        if order_id not in found[f"n{number}"]:
            world.say("answered_exists", f"order {order_id} was answered for and is gone")
    for reference, order_ids in found.items():
        if len(order_ids) > 1 and NUMBERED.fullmatch(reference):
            world.say("one_key_one_order", f"{reference}: {order_ids}")
    letters = world.queues.boxes[INTAKE + DEAD_LETTER_SUFFIX].messages.values()
    for reference in world.taken_in - found.keys():
        if not any(f'"{reference}"' in letter.body for letter in letters):
            world.say("taken_in_exists", f"{reference} was sent to intake and is gone")


def check_forward(world: World, rows: list[Row]) -> None:
    """What was promised to turn back asks for nothing more."""
    if any(event.kind in {"suspend", "database"} for event in world.story.faults):
        return
    status = {row["id"]: row for row in rows}
    taken = {parcel.order_id for parcel in world.outside.parcels.values()}
    # What a user's step has asked for may have no undo.
    ports = {port.name for port in world.ports}
    taken |= {sent.order_id for sent in world.outside.sent if sent.operation in ports}
    for order_id, (at, unless_taken) in world.turned_back.items():
        row = status.get(order_id)
        if row is None or (unless_taken and order_id in taken):
            continue
        if went_through(row):
            world.say("promised_to_turn_back", f"{order_id} was completed")
        for sent in world.outside.sent:
            late = sent.at > at + TURN_SECONDS + world.latency()
            forward = sent.operation in FORWARD and "payments.void" not in sent.key
            if sent.order_id == order_id and late and forward:
                world.say("turned_back_goes_forward", f"{sent.key} at {sent.at:.1f} s, {at:.1f} s")


def check_refunded(world: World, rows: list[Row]) -> None:
    """What was promised to be refunded is, unless an operator has given that up."""
    given_up = {row[0] for row in world.store.rows(_GIVEN_UP)}
    for row in rows:
        if row["id"] in world.to_refund - given_up and row["ending"] != "refunded":
            world.say("promised_to_refund", f"{row['id']} is {row['status']}")


def check_followers(world: World) -> None:
    """Whoever follows an order is told all of its story."""
    for what in world.store.missed:
        world.say("followers_miss_nothing", what)
