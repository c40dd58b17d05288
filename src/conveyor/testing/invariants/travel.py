"""Travel: seats and rooms add up, are given away in turn, and belong to whoever paid for them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from conveyor.testing.invariants.evidence import TERMINAL, UNDONE, went_through

if TYPE_CHECKING:
    from conveyor.testing.invariants.evidence import Evidence, Row


def check_seats(left: Evidence, rows: list[Row]) -> None:
    """5: seats and rooms add up, and belong to whoever paid for them."""
    asked: dict[str, list[Row]] = defaultdict(list)
    mine: dict[str, list[str]] = defaultdict(list)
    for booking in sorted(left.records("bookings"), key=lambda it: (it["resource"], it["number"])):
        asked[booking["resource"]].append(booking)
        mine[booking["order_id"]].append(booking["state"])
    travels = [row for row in rows if row["flow"].startswith("travel@")]
    at_rest = all(row["status"] in TERMINAL for row in travels)
    for resource in left.records("resources"):
        _check_resource(left, resource, asked[resource["name"]], at_rest=at_rest)
    for row in travels:
        _check_journey(left, row, mine[row["id"]])


def _check_resource(left: Evidence, resource: Row, asked: list[Row], *, at_rest: bool) -> None:
    units: Counter[str] = Counter()
    for booking in asked:
        units[booking["state"]] += booking["quantity"]
    name, held, booked = resource["name"], resource["held"], resource["booked"]
    if (held, booked) != (units["held"], units["booked"]):
        left.say("seats_add_up", f"{name}: {held} held and {booked} booked, not {dict(units)}")
    if held + booked > resource["capacity"] * (100 + resource["overbooking"]) // 100:
        left.say("seats_once", f"{name}: {held} and {booked} of {resource['capacity']}")
    if at_rest and (held or resource["waiting"]):
        left.say("seats_at_rest", f"{name}: {held} held, {resource['waiting']} waiting")
    if [it["number"] for it in asked] != list(range(1, len(asked) + 1)):
        left.say("seats_are_numbered", f"{name}: {[it['number'] for it in asked]}")
    turns = [it["turn"] for it in asked if it["turn"]]
    if turns != sorted(set(turns)):
        left.say("seats_in_turn", f"{name} was taken out of turn: {turns}")


def _check_journey(left: Evidence, row: Row, states: list[str]) -> None:
    legs = len(json.loads(row["body"])["legs"])
    if went_through(row) and states != ["booked"] * legs:
        left.say("completed_is_booked", f"{row['id']}: {states}")
    undone = row["status"] in UNDONE
    if undone and {"held", "booked", "waiting"} & set(states):
        left.say("undone_has_no_seat", f"{row['id']}: {states}")
