"""Orders: whoever was answered has one; it moves by its slip, forward and back."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from conveyor.commerce.orders.intake_consumer import INTAKE
from conveyor.core.queue import DEAD_LETTER_SUFFIX
from conveyor.testing.fate import FORWARD

if TYPE_CHECKING:
    from conveyor.testing.world import World

TERMINAL = frozenset({"completed", "cancelled", "refused"})
# Each of these moves the order's version on by one.
MOVES = frozenset({"done", "awaiting", "again", "refused", "parked", "redriven", "turned_back"})
NUMBERED = re.compile(r"n\d+")
"""What a customer with a number orders is referred to so."""
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


def _timeline(world: World, order_id: str) -> list[tuple[int, str, str, int]]:
    query = "SELECT version, event, step, at FROM timeline WHERE order_id = ? ORDER BY id"
    return world.store.rows(query, order_id)


def check_versions(world: World, row: dict[str, Any]) -> None:
    """7: versions rise by one."""
    told = _timeline(world, row["id"])
    # The order's end is an entry without a step, and may be called like a step's outcome.
    moves = [v for v, event, step, _ in told if event in MOVES and (event, step) != ("refused", "")]
    # What is discarded is at its end at once, or is turned back to it.
    moves += [v for v, event, *_ in told if event == "discarded" and v not in moves]
    # A step that waits until an earlier call is over is taken again at the same version.
    waits = [v for v, event, *_ in told if event == "again"]
    moves = [v for at, v in enumerate(moves) if v not in waits or v not in moves[at + 1 :]]
    if moves != list(range(1, row["version"])):
        world.say("versions_rise_by_one", f"{row['id']} at {row['version']}: {moves}")


def check_story(world: World, row: dict[str, Any]) -> None:
    """9: a compensation runs once, in reverse, only for steps that were done."""
    done = [step for _, event, step, _ in _timeline(world, row["id"]) if event == "done"]
    slip = world.slips[row["flow"]]
    undo, body = slip.undo, json.loads(row["body"])
    for step in set(done):
        most = len(body[slip.each[step]]) if step in slip.each else 1
        if done.count(step) > most:
            world.say("a_step_once", f"{row['id']}: {done}")
    done = [step for step, _ in groupby(done)]
    ahead = [step for step in done if step in undo]
    if ahead != list(undo)[: len(ahead)]:
        world.say("steps_in_order", f"{row['id']}: {done}")
    completed = row["status"] == "completed"
    if completed and len(ahead) != len(undo):
        world.say("completed_is_whole", f"{row['id']}: {done}")
    back = [step for step in done if step not in undo]
    needed = [] if completed else [undo[step] for step in reversed(ahead) if undo[step]]
    # What had only begun may be undone too, before all else.
    if back != needed and (completed or back[len(back) - len(needed) :] != needed):
        world.say("undone_in_reverse", f"{row['id']} {row['status']}: {done}")


def check_forward(world: World, rows: list[dict[str, Any]]) -> None:
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
        if row["status"] == "completed":
            world.say("promised_to_turn_back", f"{order_id} was completed")
        for sent in world.outside.sent:
            late = sent.at > at + TURN_SECONDS + world.latency()
            forward = sent.operation in FORWARD and "payments.void" not in sent.key
            if sent.order_id == order_id and late and forward:
                world.say("turned_back_goes_forward", f"{sent.key} at {sent.at:.1f} s, {at:.1f} s")


def check_followers(world: World) -> None:
    """Whoever follows an order is told all of its story."""
    for what in world.store.missed:
        world.say("followers_miss_nothing", what)


def check_owed(world: World) -> None:
    """6: whoever is settled is owed nothing, and no call is open."""
    settled = "JOIN orders ON orders.id = order_id AND orders.settled_at IS NOT NULL"
    for (order_id,) in world.store.rows(f"SELECT order_id FROM outbox {settled}"):
        world.say("settled_is_owed_nothing", order_id)
    query = f"SELECT order_id, step, calls.state FROM calls {settled}"
    for order_id, step, state in world.store.rows(query):
        if state in {"intended", "unknown"}:
            world.say("settled_has_no_open_call", f"{order_id} {step} {state}")
