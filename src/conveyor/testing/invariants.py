"""The invariants of the design, held against the tables and the outside's own books.

Nothing of the system's own rules is used here: what a flow's steps are, what undoes them and what
a cancellation costs is said once more.
"""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from conveyor.messaging.queue import DEAD_LETTER_SUFFIX
from conveyor.services.orders.intake_consumer import INTAKE
from conveyor.testing.provider import FORWARD

if TYPE_CHECKING:
    from conveyor.testing.world import World

# Each of these moves the order's version on by one.
MOVES = frozenset({"done", "awaiting", "again", "refused", "parked", "redriven", "turned_back"})
TERMINAL = frozenset({"completed", "cancelled", "refused"})
# Forward steps in their order, and what undoes each: said here once more, apart from `flows`.
SLIPS: dict[str, dict[str, str]] = {
    "shop": {
        "payments.authorize": "payments.void",
        "inventory.reserve": "inventory.release",
        "payments.capture": "payments.refund",
        "shipping.ship": "",
        "orders.complete": "",
    },
    "food": {
        "payments.authorize": "payments.void",
        "restaurants.confirm": "restaurants.withdraw",
        "riders.assign": "riders.release",
        "riders.deliver": "",
        "payments.capture": "payments.refund",
        "orders.complete": "",
    },
    "travel": {
        "bookings.hold": "bookings.release",
        "payments.authorize": "payments.void",
        "payments.capture": "payments.refund",
        "bookings.confirm": "",
        "orders.complete": "",
    },
    "renewal": {
        "payments.charge": "payments.refund",
        "subscriptions.extend": "subscriptions.retract",
        "orders.complete": "",
    },
}
# Steps that are done once for each member of this list in the body, and undone at once.
EACH = {"bookings.hold": "legs"}
TURN_SECONDS = 3.0
"""How long after it was promised that an order turns back a request forward may still leave."""
OUTAGES = ("DatabaseUnavailable", "CommitUnknown", "QueueUnavailable", "VersionConflict")
DISTURBANCES = frozenset(
    {"provider", "suspend", "crash", "clock", "restore", "operator", "messages"}
)
CALM_SECONDS = 900.0
"""By when an undisturbed story is over."""
ANSWERED_BY_SOMEBODY = frozenset({"restaurants", "riders", "shipping"})
"""Where an answer may come in the very moment of its deadline, and the timer's token is late."""


def check(world: World) -> None:
    """Hold everything against what a story has left; what is broken is said to the world."""
    for said in world.outside.said:
        name, _, what = said.partition(": ")
        # What a backup has forgotten may be decided otherwise, with the same key.
        if not (world.restored and name == "same_key_same_body"):
            world.say(name, what)
    _check_processes(world)
    _check_answered(world)
    check_causes(world)
    rows = world.store.records("orders")
    for row in rows:
        _check_versions(world, row)
        if row["status"] in TERMINAL and row["id"] not in world.forgotten:
            _check_story(world, row)
            _check_money(world, row)
    _check_forward(world, rows)
    _check_goods(world, rows)
    _check_meals(world, rows)
    _check_seats(world, rows)
    _check_periods(world, rows)
    _check_owed(world)
    if not world.story.faults:
        _check_calm(world)


def _check_processes(world: World) -> None:
    for process in world.processes:
        if process.ended and not process.dead:
            world.say("loops_run", f"process {process.number}: {process.ended}")
        for name, count in process.app.engine.supervisor.restarts.items():
            world.say("loops_run", f"process {process.number}: {name} ended {count} times")


def _check_answered(world: World) -> None:
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
        if len(order_ids) > 1 and reference.startswith("n"):
            world.say("one_key_one_order", f"{reference}: {order_ids}")
    letters = world.queues.boxes[INTAKE + DEAD_LETTER_SUFFIX].messages.values()
    for reference in world.taken_in - found.keys():
        if not any(f'"{reference}"' in letter.body for letter in letters):
            world.say("taken_in_exists", f"{reference} was sent to intake and is gone")


def check_causes(world: World) -> None:
    """What is parked or a dead letter has a cause that its story explains."""
    kinds = {event.kind for event in world.story.faults}
    cities = {facts.get("city") for facts in world.orders_of.values()}
    food = any(facts["flow"] == "food" for facts in world.orders_of.values())
    known = [violation.what for violation in world.violations]
    for order_id, step, cause in world.store.rows("SELECT order_id, step, cause FROM parked"):
        what = f"order {order_id} at {step}: {cause}"
        if what in known:
            continue
        if any(name in cause for name in OUTAGES):
            world.say("parked_for_an_outage", what)
        elif "Nowhere" in cities or food or kinds & DISTURBANCES:
            continue
        else:
            world.say("parked_without_a_cause", what)
    if kinds & {"restore", "clock", "crash", "suspend"}:
        return
    for name, box in world.queues.boxes.items():
        if name.endswith(DEAD_LETTER_SUFFIX) and box.messages:
            letter = next(iter(box.messages.values()))
            world.say("good_dead_letter", f"{name}: {dict(letter.attributes)} {letter.body[:80]}")


def _timeline(world: World, order_id: str) -> list[tuple[int, str, str, int]]:
    query = "SELECT version, event, step, at FROM timeline WHERE order_id = ? ORDER BY id"
    return world.store.rows(query, order_id)


def _check_versions(world: World, row: dict[str, Any]) -> None:
    """7: versions rise by one."""
    told = _timeline(world, row["id"])
    # The order's end is an entry without a step, and may be called like a step's outcome.
    moves = [v for v, event, step, _ in told if event in MOVES and (event, step) != ("refused", "")]
    # A step that waits until an earlier call is over is taken again at the same version.
    waits = [v for v, event, *_ in told if event == "again"]
    moves = [v for at, v in enumerate(moves) if v not in waits or v not in moves[at + 1 :]]
    if moves != list(range(1, row["version"])):
        world.say("versions_rise_by_one", f"{row['id']} at {row['version']}: {moves}")


def _check_story(world: World, row: dict[str, Any]) -> None:
    """9: a compensation runs once, in reverse, only for steps that were done."""
    done = [step for _, event, step, _ in _timeline(world, row["id"]) if event == "done"]
    undo = SLIPS[row["flow"].partition("@")[0]]
    body = json.loads(row["body"])
    for step in set(done):
        most = len(body[EACH[step]]) if step in EACH else 1
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


def _check_money(world: World, row: dict[str, Any]) -> None:
    """3 and 4: the provider's books, ours, and what is due."""
    sums: dict[str, int] = defaultdict(int)
    for entry in world.outside.entries:
        if entry.order_id == row["id"] and entry.approved:
            sums[entry.operation] += entry.amount
    captured = sums["capture"] + sums["charge"]
    query = "SELECT authorized, captured, refunded, fee FROM payments WHERE order_id = ?"
    ours = (world.store.rows(query, row["id"]) or [(0, 0, 0, 0)])[0]
    theirs = (sums["authorize"] + sums["charge"], captured, sums["refund"])
    if ours[:3] != theirs:
        world.say("books_are_the_providers", f"{row['id']}: ours {ours[:3]}, theirs {theirs}")
    kept = captured - sums["refund"]
    if row["status"] == "completed":
        if kept != row["total"]:
            world.say("completed_is_paid", f"{row['id']}: kept {kept} of {row['total']}")
    elif kept not in {0, ours[3]}:
        world.say("undone_is_given_back", f"{row['id']} {row['status']}: kept {kept}")
    if sums["authorize"] and not captured and not sums["void"]:
        world.say("nothing_left_held", f"{row['id']} {row['status']}: {dict(sums)}")
    arrived = [
        p for p in world.outside.parcels.values()
        if p.order_id == row["id"] and p.arrives_at is not None
    ]  # fmt: skip
    if arrived and row["status"] != "completed":
        world.say("undone_is_not_shipped", f"{row['id']} {row['status']}: {arrived[0].tracking}")
    if not arrived and row["status"] == "completed" and row["flow"].startswith("shop"):
        world.say("completed_is_shipped", f"{row['id']}")


def _check_forward(world: World, rows: list[dict[str, Any]]) -> None:
    """What was promised to turn back asks for nothing more."""
    if any(event.kind in {"suspend", "database"} for event in world.story.faults):
        return
    status = {row["id"]: row for row in rows}
    for order_id, at in world.turned_back.items():
        row = status.get(order_id)
        if row is None:
            continue
        if row["status"] == "completed":
            world.say("promised_to_turn_back", f"{order_id} was completed")
        for sent in world.outside.sent:
            late = sent.at > at + TURN_SECONDS + world.latency()
            forward = sent.operation in FORWARD and "payments.void" not in sent.key
            if sent.order_id == order_id and late and forward:
                world.say("turned_back_goes_forward", f"{sent.key} at {sent.at:.1f} s, {at:.1f} s")


def _check_goods(world: World, rows: list[dict[str, Any]]) -> None:
    """5: a stock adds up."""
    query = "SELECT received, available, reserved, sold FROM stock"
    sold = moving = 0
    lost = {p.order_id for p in world.outside.parcels.values() if p.arrives_at is None}
    for row in rows:
        if row["flow"].startswith("shop"):
            quantity = sum(item["quantity"] for item in json.loads(row["body"])["items"])
            sold += quantity if row["status"] == "completed" else 0
            # The carrier lost it: it is sold, and its money given back.
            gone_for_good = row["id"] in lost or row["status"] not in TERMINAL
            moving += quantity if gone_for_good else 0
    for received, available, held, gone in world.store.rows(query):
        found = (received, available, held, gone)
        if received != available + held + gone or min(found) < 0:
            world.say("stock_adds_up", str(found))
        if not sold <= gone + held <= sold + moving or gone < sold:
            world.say("stock_is_what_was_sold", f"{found}, sold {sold}")


def _check_meals(world: World, rows: list[dict[str, Any]]) -> None:
    """One rider brings what one restaurant prepared; of an order at its end nothing is left."""
    told: dict[str, list[str]] = defaultdict(list)
    loads: dict[str, int] = defaultdict(int)
    for order_id, rider, state in world.store.rows("SELECT order_id, rider, state FROM offers"):
        told[order_id].append(state)
        loads[rider] += state in {"open", "accepted", "picked_up"}
    tickets = dict(world.store.rows("SELECT order_id, state FROM tickets"))
    for row in rows:
        if not row["flow"].startswith("food"):
            continue
        live = [s for s in told[row["id"]] if s in {"open", "accepted", "picked_up", "delivered"}]
        ticket, where = tickets.get(row["id"], ""), f"{row['id']} {row['status']}"
        if len(live) > 1:
            world.say("one_rider", f"{where}: {live}")
        if row["status"] == "completed" and (live != ["delivered"] or ticket != "collected"):
            world.say("completed_is_brought", f"{where}: {live} {ticket}")
        if row["status"] in TERMINAL - {"completed"}:
            if "delivered" not in live and live:
                world.say("undone_has_no_rider", f"{where}: {live}")
            if ticket in {"asked", "accepted", "ready"}:
                world.say("undone_has_no_ticket", f"{where}: {ticket}")
    for rider, load in world.store.rows("SELECT id, load FROM riders"):
        if load != loads[rider]:
            world.say("loads_add_up", f"{rider} carries {load}, not {loads[rider]}")


def _check_seats(world: World, rows: list[dict[str, Any]]) -> None:
    """5: seats and rooms add up, and belong to whoever paid for them."""
    units: dict[tuple[str, str], int] = defaultdict(int)
    mine: dict[str, list[str]] = defaultdict(list)
    query = "SELECT order_id, resource, state, quantity FROM bookings"
    for order_id, resource, state, quantity in world.store.rows(query):
        units[resource, state] += quantity
        mine[order_id].append(state)
    query = "SELECT name, capacity, overbooking, held, booked FROM resources"
    for name, capacity, over, held, booked in world.store.rows(query):
        if (held, booked) != (units[name, "held"], units[name, "booked"]):
            world.say("seats_add_up", f"{name}: {held} held and {booked} booked, not {dict(units)}")
        if held + booked > capacity * (100 + over) // 100:
            world.say("seats_once", f"{name}: {held} and {booked} of {capacity}")
    for row in rows:
        if row["flow"].startswith("travel") and row["status"] in TERMINAL:
            states = mine[row["id"]]
            legs = len(json.loads(row["body"])["legs"])
            if row["status"] == "completed" and states != ["booked"] * legs:
                world.say("completed_is_booked", f"{row['id']}: {states}")
            if row["status"] != "completed" and {"held", "booked", "waiting"} & set(states):
                world.say("undone_has_no_seat", f"{row['id']}: {states}")


def _check_periods(world: World, rows: list[dict[str, Any]]) -> None:
    """A period is charged once, and extended exactly then; nobody pays for years ahead."""
    kept: dict[tuple[str, int], int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    known = {row["id"]: json.loads(row["body"]) for row in rows if row["flow"].startswith("renew")}
    for entry in world.outside.entries:
        body = known.get(entry.order_id)
        if entry.approved and body and entry.operation in {"charge", "refund"}:
            one = 1 if entry.operation == "charge" else -1
            kept[body["subscription"], body["period"]] += one
            counts[body["subscription"]] += one
    moving = {row["id"] for row in rows if row["status"] not in TERMINAL}
    query = "SELECT subscription, period, state, order_id FROM renewals"
    extended = set()
    for name, period, state, order_id in world.store.rows(query):
        if order_id in moving:
            kept.pop((name, period), None)
        elif state == "extended":
            extended.add((name, period))
    for key, times in kept.items():
        if times > 1:
            world.say("a_period_once", f"{key} was charged {times} times")
    if {key for key, times in kept.items() if times} != extended and not world.restored:
        world.say("charged_is_extended", f"{dict(kept)} and {extended}")
    days = world.loop.elapsed / 86_400
    for name, times in counts.items():
        if times > 1 + days / 27:
            world.say("a_month_once", f"{name} was charged {times} times in {days:.1f} days")


def _check_owed(world: World) -> None:
    """6: whoever is settled is owed nothing, and no call is open."""
    settled = "JOIN orders ON orders.id = order_id AND orders.settled_at IS NOT NULL"
    for (order_id,) in world.store.rows(f"SELECT order_id FROM outbox {settled}"):  # noqa: S608
        world.say("settled_is_owed_nothing", order_id)
    query = f"SELECT order_id, step, calls.state FROM calls {settled}"  # noqa: S608
    for order_id, step, state in world.store.rows(query):
        if state in {"intended", "unknown"}:
            world.say("settled_has_no_open_call", f"{order_id} {step} {state}")


def _check_calm(world: World) -> None:
    """Where nothing was disturbed, nothing is done twice, and nobody waits."""
    for process in world.processes:
        for (what, queue), count in process.app.engine.tally.items():
            crossed = what == "stale" and queue in ANSWERED_BY_SOMEBODY
            if what in {"resent", "faulted", "stale", "poisoned"} and not crossed:
                world.say(f"calm_has_no_{what}", f"{count} at {queue}")
    lost = {facts.get("city") for facts in world.orders_of.values()} & {"Nowhere", "Limbo"}
    if world.loop.elapsed > CALM_SECONDS and not lost:
        world.say("calm_is_quick", f"{world.loop.elapsed:.0f} s")
