"""Seats and rooms after a run, read straight from the file: an oracle apart from `audit`."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

from conveyor.testing.virtual import BrokenInvariantError

TAKEN = ("held", "booked")


def check_seats(directory: Path) -> None:
    """Once all orders have settled: what is booked is what completed orders have, and no more."""
    with closing(sqlite3.connect(directory / "conveyor.db")) as db:
        db.row_factory = sqlite3.Row
        orders = {row["id"]: row for row in db.execute("SELECT * FROM orders")}
        bookings = db.execute("SELECT * FROM bookings ORDER BY merchant, resource, number")
        by_resource: dict[str, list[Any]] = defaultdict(list)
        by_order: dict[str, list[Any]] = defaultdict(list)
        for booking in bookings:
            by_resource[booking["resource"]].append(booking)
            by_order[booking["order_id"]].append(booking)
        for resource in db.execute("SELECT * FROM resources"):
            _check_resource(resource, by_resource[resource["name"]])
        for order_id, order in orders.items():
            if order["flow"].startswith("travel@"):
                _check_order(order, by_order[order_id])


def _check_resource(resource: Any, asked: list[Any]) -> None:
    name = resource["name"]
    units: Counter[str] = Counter()
    for booking in asked:
        units[booking["state"]] += booking["quantity"]
    limit = resource["capacity"] * (100 + resource["overbooking"]) // 100
    _require(units["booked"] + units["held"] <= limit, f"{name} is given away twice: {units}")
    for state in TAKEN:
        _require(resource[state] == units[state], f"{name}: {resource[state]} {state}, {units}")
    _require(resource["held"] == 0 and resource["waiting"] == 0, f"{name} is not at rest")
    _require([b["number"] for b in asked] == list(range(1, len(asked) + 1)), f"{name}: numbers")
    turns = [booking["turn"] for booking in asked if booking["turn"]]
    _require(turns == sorted(set(turns)), f"{name} was taken out of turn: {turns}")


def _check_order(order: Any, mine: list[Any]) -> None:
    states = [booking["state"] for booking in mine]
    if order["status"] == "completed":
        legs = json.loads(order["body"])["legs"]
        _require(states == ["booked"] * len(legs), f"{order['id']} completed with {states}")
    else:
        _require(not set(states) & {*TAKEN, "waiting"}, f"{order['id']} is undone with {states}")


def _require(holds: object, otherwise: str) -> None:
    if not holds:
        raise BrokenInvariantError(otherwise)
