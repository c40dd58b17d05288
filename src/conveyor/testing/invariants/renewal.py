"""Renewals: a period is charged once, and extended exactly then; nobody pays for years ahead."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from conveyor.testing.invariants.evidence import TERMINAL, went_through

if TYPE_CHECKING:
    from conveyor.testing.invariants.evidence import Evidence, Row
    from conveyor.testing.world import World

DAYS_OF_A_MONTH = 27
"""At least."""


def check_periods(left: Evidence, rows: list[Row]) -> None:
    """A period is charged once, and extended exactly then."""
    kept = _kept(left, rows)
    moving = {row["id"] for row in rows if row["status"] not in TERMINAL}
    query = "SELECT subscription, period, state, order_id FROM renewals"
    extended = set()
    for name, period, state, order_id in left.rows(query):
        if order_id in moving:
            kept.pop((name, period), None)
        elif state == "extended":
            extended.add((name, period))
    for key, times in kept.items():
        if times > 1:
            left.say("a_period_once", f"{key} was charged {times} times")
    if {key for key, times in kept.items() if times} != extended and not left.restored:
        left.say("charged_is_extended", f"{dict(kept)} and {extended}")


def check_months(world: World, left: Evidence, rows: list[Row]) -> None:
    """Nobody is charged more often than months have gone by, but who lets somebody catch up."""
    counts: Counter[str] = Counter()
    for (name, _), times in _kept(left, rows).items():
        counts[name] += times
    days = world.loop.elapsed / 86_400
    # Somebody who lets renewals catch up while a clock is ahead has asked for what it makes due.
    asked_ahead = world.caught_up if "clock" in world.story.kinds else 0
    for name, times in counts.items():
        behind = world.orders_of[int(name[1:])].get("behind_days", 0) > 0
        allowed = world.caught_up if behind else 1 + days / DAYS_OF_A_MONTH + asked_ahead
        if times > allowed:
            world.say("a_month_once", f"{name} was charged {times} times in {days:.1f} days")


def _kept(left: Evidence, rows: list[Row]) -> Counter[tuple[str, int]]:
    """Say how often each period was charged and not given back, but for what was refunded later.

    Who was given the money of a completed renewal keeps the period.
    """
    renewals = [row for row in rows if row["flow"].startswith("renewal@")]
    placed = {row["id"]: json.loads(row["body"]) for row in renewals}
    later = {row["id"] for row in renewals if went_through(row)}
    kept: Counter[tuple[str, int]] = Counter()
    for posting in left.postings():
        body = placed.get(posting.order_id)
        if posting.operation == "refund" and posting.order_id in later:
            continue
        if body and posting.operation in {"charge", "refund"}:
            one = 1 if posting.operation == "charge" else -1
            kept[body["subscription"], body["period"]] += one
    return kept
