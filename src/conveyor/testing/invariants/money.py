"""Money: the provider's books, ours, and what is due, to the cent."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from conveyor.testing.invariants.orders import timeline

if TYPE_CHECKING:
    from conveyor.testing.invariants.evidence import Evidence, Row


_DUE = {"completed": "completed_is_paid", "refunded": "refunded_is_given_back"}


def check_money(left: Evidence, row: Row) -> None:
    """3 and 4: the provider's books, ours, and what is due."""
    theirs: dict[str, list[int]] = defaultdict(list)
    for posting in left.postings():
        if posting.order_id == row["id"]:
            theirs[posting.operation].append(posting.amount)
    authorized = theirs["authorize"] + theirs["charge"]
    captured = theirs["capture"] + theirs["charge"]
    where = f"{row['id']} {row['status']}"
    if max(len(authorized), len(captured)) > 1:
        left.say("taken_once", f"{where}: {dict(theirs)}")
    query = "SELECT authorized, captured, refunded FROM payments WHERE order_id = ?"
    ours = (left.rows(query, row["id"]) or [(0, 0, 0)])[0]
    sums = (sum(authorized), sum(captured), sum(theirs["refund"]))
    if tuple(ours) != sums:
        left.say("books_are_the_providers", f"{where}: ours {tuple(ours)}, theirs {sums}")
    kept, due = sum(captured) - sum(theirs["refund"]), _due(left, row)
    if kept != due:
        left.say(_DUE.get(row["status"], "undone_is_given_back"), f"{where}: {kept}, due are {due}")
    if row["status"] == "refunded" and not sum(captured) == row["total"] > 0:
        left.say("refunded_was_paid", f"{where}: {sum(captured)} of {row['total']}")
    if theirs["authorize"] and not captured and not theirs["void"]:
        left.say("nothing_left_held", f"{where}: {dict(theirs)}")


def _due(left: Evidence, row: Row) -> int:
    """Say what is kept of an order at its end; of a cancelled one it is the fee at most."""
    slip, total = left.slips[row["flow"]], int(row["total"])
    if row["status"] == "completed":
        return total if slip.has("payments.capture", "payments.charge") else 0
    if row["status"] == "refunded":
        return 0
    told = timeline(left, row["id"])
    asked = next((at for at, it in enumerate(told) if it.event == "cancel_asked"), 0)
    before = told[:asked]
    owes = any(it.event == "done" and it.step == slip.fee_after for it in before)
    # Who is parked is not to blame for being late (decision 14).
    stops = [it.event for it in before if it.event in {"parked", "redriven"}]
    if stops and stops[-1] == "parked":
        return 0
    return total * slip.fee_per_cent // 100 if owes else 0
