"""Goods: stock, seats and rooms add up, and meals are brought by one rider."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from conveyor.testing.invariants.orders import TERMINAL

if TYPE_CHECKING:
    from conveyor.testing.world import World


def check_goods(world: World, rows: list[dict[str, Any]]) -> None:
    """5: a stock adds up."""
    query = "SELECT merchant, sku, received, available, reserved, sold FROM stock"
    sold: Counter[tuple[str, str]] = Counter()
    moving: Counter[tuple[str, str]] = Counter()
    lost = {p.order_id for p in world.outside.parcels.values() if p.arrives_at is None}
    for row in rows:
        slip = world.slips[row["flow"]]
        if not slip.has("inventory.reserve"):
            continue
        # The carrier lost it: it is sold, and its money given back.
        gone_for_good = row["id"] in lost or row["status"] not in TERMINAL
        completed = row["status"] == "completed"
        for item in json.loads(row["body"])["items"]:
            what, quantity = (row["merchant"], item["sku"]), item["quantity"]
            sold[what] += quantity if completed and slip.has("inventory.sell") else 0
            # Who sells nothing keeps what was reserved.
            kept = completed and not slip.has("inventory.sell")
            moving[what] += quantity if gone_for_good or kept else 0
    for merchant, sku, received, available, held, gone in world.store.rows(query):
        what, found = (merchant, sku), (received, available, held, gone)
        if received != available + held + gone or min(found) < 0:
            world.say("stock_adds_up", f"{sku}: {found}")
        if not sold[what] <= gone + held <= sold[what] + moving[what] or gone < sold[what]:
            world.say("stock_is_what_was_sold", f"{sku}: {found}, sold {sold[what]}")


def check_meals(world: World, rows: list[dict[str, Any]]) -> None:
    """One rider brings what one restaurant prepared; of an order at its end nothing is left."""
    told: dict[str, list[str]] = defaultdict(list)
    loads: dict[str, int] = defaultdict(int)
    for order_id, rider, state in world.store.rows("SELECT order_id, rider, state FROM offers"):
        told[order_id].append(state)
        loads[rider] += state in {"open", "accepted", "picked_up"}
    tickets = dict(world.store.rows("SELECT order_id, state FROM tickets"))
    for row in rows:
        if not row["flow"].startswith("food@"):
            continue
        live = [s for s in told[row["id"]] if s in {"open", "accepted", "picked_up", "delivered"}]
        ticket, where = tickets.get(row["id"], ""), f"{row['id']} {row['status']}"
        if len(live) > 1:
            world.say("one_rider", f"{where}: {live}")
        if row["status"] == "completed" and (live != ["delivered"] or ticket != "collected"):
            world.say("completed_is_brought", f"{where}: {live} {ticket}")
        if row["status"] in TERMINAL - {"completed"}:
            if "delivered" in live:
                if not _was_discarded(world, row["id"]):
                    world.say("undone_is_not_eaten", where)
            elif live:
                world.say("undone_has_no_rider", f"{where}: {live}")
            if ticket in {"asked", "accepted", "ready"}:
                world.say("undone_has_no_ticket", f"{where}: {ticket}")
    for rider, load in world.store.rows("SELECT id, load FROM riders"):
        if load != loads[rider]:
            world.say("loads_add_up", f"{rider} carries {load}, not {loads[rider]}")


def _was_discarded(world: World, order_id: str) -> bool:
    query = "SELECT 1 FROM timeline WHERE order_id = ? AND event = 'discarded'"
    return bool(world.store.rows(query, order_id))


def check_seats(world: World, rows: list[dict[str, Any]]) -> None:
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
        if row["flow"].startswith("travel@") and row["status"] in TERMINAL:
            states = mine[row["id"]]
            legs = len(json.loads(row["body"])["legs"])
            if row["status"] == "completed" and states != ["booked"] * legs:
                world.say("completed_is_booked", f"{row['id']}: {states}")
            if row["status"] != "completed" and {"held", "booked", "waiting"} & set(states):
                world.say("undone_has_no_seat", f"{row['id']}: {states}")
