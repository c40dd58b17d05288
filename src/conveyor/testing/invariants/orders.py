"""Orders: each moves by its slip, forward and back, and is owed nothing at its end."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from conveyor.testing.invariants.evidence import went_through

if TYPE_CHECKING:
    from conveyor.testing.invariants.evidence import Evidence, Row
    from conveyor.testing.invariants.slips import Slip

# Each of these moves the order's version on by one.
MOVES = frozenset(
    {"done", "awaiting", "again", "refused", "parked", "redriven", "turned_back", "refund_asked"}
)
MONEY_BACK = "payments.refund"


class Told(NamedTuple):
    """An entry of an order's timeline."""

    version: int
    event: str
    step: str


def timeline(left: Evidence, order_id: str) -> list[Told]:
    """Read an order's story."""
    query = "SELECT version, event, step FROM timeline WHERE order_id = ? ORDER BY id"
    return [Told(*row) for row in left.rows(query, order_id)]


def check_versions(left: Evidence, row: Row) -> None:
    """7: versions rise by one."""
    told = timeline(left, row["id"])
    # The order's end is an entry without a step, and may be called like a step's outcome.
    moved = [it for it in told if it.event in MOVES and it[1:] != ("refused", "")]
    # What is discarded is at its end at once, or is turned back to it.
    turned = {it.version for it in moved}
    moves = [
        it.version
        for it in told
        if it in moved or (it.event == "discarded" and it.version not in turned)
    ]
    # A step that waits until an earlier call is over is taken again at the same version.
    waits = [v for v, event, _ in told if event == "again"]
    moves = [v for at, v in enumerate(moves) if v not in waits or v not in moves[at + 1 :]]
    if moves != list(range(1, row["version"])):
        left.say("versions_rise_by_one", f"{row['id']} at {row['version']}: {moves}")


def check_story(left: Evidence, row: Row) -> None:
    """9: a compensation runs once, in reverse, only for steps that were begun."""
    told, slip = timeline(left, row["id"]), left.slips[row["flow"]]
    done = [it.step for it in told if it.event == "done"]
    body, whole = json.loads(row["body"]), went_through(row)
    for step in set(done):
        most = len(body[slip.each[step]]) if step in slip.each else 1
        if done.count(step) > most or (whole and done.count(step) < most):
            left.say("a_step_once", f"{row['id']}: {done}")
    done = [step for step, _ in groupby(done)]
    ahead = [step for step in done if step in slip.undo]
    forward = list(slip.undo)
    if ahead != forward[: len(ahead)]:
        left.say("steps_in_order", f"{row['id']}: {done}")
    if whole and ahead != forward:
        left.say("completed_is_whole", f"{row['id']}: {done}")
    money = [MONEY_BACK] if row["status"] == "refunded" else []
    if done[len(ahead) :] not in ([money] if whole else _backs(slip, told, ahead)):
        left.say("undone_in_reverse", f"{row['id']} {row['status']}: {done}")


def _backs(slip: Slip, told: list[Told], ahead: list[str]) -> list[list[str]]:
    """Give what may undo it: what was done, and before that what may have begun after it."""
    following = list(slip.undo)[len(ahead) : len(ahead) + 1]
    events = {it.event for it in told if it.step in following}
    backs = [_back(slip, ahead), _back(slip, ahead + following)]
    if "awaiting" in events:
        return backs[1:]
    # One that was stopped or turned back, or was to be taken again, may have begun.
    return backs if events & {"again", "parked", "turned_back"} else backs[:1]


def _back(slip: Slip, begun: list[str]) -> list[str]:
    return [slip.undo[step] for step in reversed(begun) if slip.undo[step]]


def check_owed(left: Evidence) -> None:
    """6: whoever is settled is owed nothing, and no call is open."""
    settled = "JOIN orders ON orders.id = order_id AND orders.settled_at IS NOT NULL"
    for (order_id,) in left.rows(f"SELECT order_id FROM outbox {settled}"):
        left.say("settled_is_owed_nothing", order_id)
    query = f"SELECT order_id, step, calls.state FROM calls {settled}"
    for order_id, step, state in left.rows(query):
        if state in {"intended", "unknown"}:
            left.say("settled_has_no_open_call", f"{order_id} {step} {state}")
