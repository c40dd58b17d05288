"""Money: the provider's books, ours, and what is due, to the cent."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from conveyor.testing.invariants.orders import TERMINAL

if TYPE_CHECKING:
    from conveyor.testing.world import World


def check_money(world: World, row: dict[str, Any]) -> None:
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
    slip = world.slips[row["flow"]]
    if row["status"] == "completed":
        due = row["total"] if slip.has("payments.capture", "payments.charge") else 0
        if kept != due:
            world.say("completed_is_paid", f"{row['id']}: kept {kept} of {due}")
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
    if not arrived and row["status"] == "completed" and slip.has("shipping.ship"):
        world.say("completed_is_shipped", f"{row['id']}")


def check_periods(world: World, rows: list[dict[str, Any]]) -> None:
    """A period is charged once, and extended exactly then; nobody pays for years ahead."""
    kept: dict[tuple[str, int], int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    renewals = [row for row in rows if row["flow"].startswith("renewal@")]
    known = {row["id"]: json.loads(row["body"]) for row in renewals}
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
    # Somebody who lets renewals catch up while a clock is ahead has asked for what it makes due.
    asked_ahead = world.caught_up if "clock" in world.story.kinds else 0
    for name, times in counts.items():
        behind = world.orders_of[int(name[1:])].get("behind_days", 0) > 0
        allowed = world.caught_up if behind else 1 + days / 27 + asked_ahead
        if times > allowed:
            world.say("a_month_once", f"{name} was charged {times} times in {days:.1f} days")
