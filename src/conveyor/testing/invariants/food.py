"""Food: a meal is brought by one rider, and of an order at its end nothing is left."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from conveyor.testing.invariants.evidence import UNDONE, went_through

if TYPE_CHECKING:
    from conveyor.testing.invariants.evidence import Evidence, Row


def check_meals(left: Evidence, rows: list[Row]) -> None:
    """One rider brings what one restaurant prepared; of an order at its end nothing is left."""
    told: dict[str, list[str]] = defaultdict(list)
    loads: dict[str, int] = defaultdict(int)
    for order_id, rider, state in left.rows("SELECT order_id, rider, state FROM offers"):
        told[order_id].append(state)
        loads[rider] += state in {"open", "accepted", "picked_up"}
    tickets = dict(left.rows("SELECT order_id, state FROM tickets"))
    for row in rows:
        if row["flow"].startswith("food@"):
            _check_meal(left, row, told[row["id"]], tickets.get(row["id"], ""))
    for rider, load, capacity in left.rows("SELECT id, load, capacity FROM riders"):
        if not load == loads[rider] <= capacity:
            left.say("loads_add_up", f"{rider} carries {load}, not {loads[rider]} of {capacity}")


def _check_meal(left: Evidence, row: Row, told: list[str], ticket: str) -> None:
    live = [state for state in told if state in {"open", "accepted", "picked_up", "delivered"}]
    where = f"{row['id']} {row['status']}"
    if len(live) > 1:
        left.say("one_rider", f"{where}: {live}")
    if went_through(row) and (live != ["delivered"] or ticket != "collected"):
        left.say("completed_is_brought", f"{where}: {live} {ticket}")
    if row["status"] in UNDONE:
        if "delivered" in live:
            if not _was_discarded(left, row["id"]):
                left.say("undone_is_not_eaten", where)
        elif live:
            left.say("undone_has_no_rider", f"{where}: {live}")
        if ticket in {"asked", "accepted", "ready"}:
            left.say("undone_has_no_ticket", f"{where}: {ticket}")


def _was_discarded(left: Evidence, order_id: str) -> bool:
    query = "SELECT 1 FROM timeline WHERE order_id = ? AND event = 'discarded'"
    return bool(left.rows(query, order_id))
