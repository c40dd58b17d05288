"""When a story is over: nothing is under way any more, or only what waits for far-off days."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from conveyor.core.ambient import CLOCK_SLACK_MS
from conveyor.core.queue import DEAD_LETTER_SUFFIX
from conveyor.extension import ExternalStep
from conveyor.flows.renewal.subscriptions.model import MONTH_MS
from conveyor.testing.loop import START_MS
from conveyor.testing.pace import LONGEST_OF_DAYS_SECONDS
from conveyor.testing.town import FOREIGN_FLOW

if TYPE_CHECKING:
    from conveyor.testing.world import World

BOUND_SECONDS = 1_800.0
"""By when, after the last event, everything has settled or is parked."""
FAR_SECONDS = 12 * 3600.0
"""A renewal that awaits something that is further off than this is left to it."""

OWN_FAR_SECONDS = 90 * 86_400.0
"""A user's flow may await somebody for so long; what is further off is a wrong clock's doing."""

RENEWALS = "renewal@%"

_MOVING = """
    SELECT id, status, reason, waits_for FROM orders LEFT JOIN outbox ON order_id = id
    WHERE settled_at IS NULL AND status <> 'parked' AND flow <> ?
    AND (flow NOT LIKE ? OR status <> 'awaiting' OR coalesce(due_at, 0) < ?)
    -- Who stands behind a parked order of the same group is to wait.
    AND NOT EXISTS (SELECT 1 FROM parked AS front WHERE front.group_key <> ''
        AND front.group_key = orders.group_key AND front.sequence < orders.sequence
        AND orders.sequence > 0)
"""
_AWAITED = "SELECT max(due_at) FROM outbox JOIN orders ON id = order_id WHERE status = 'awaiting'"
_WITH_OTHERS = "SELECT max(updated_at) FROM orders WHERE status IN ('processing', 'compensating')"
_DUES = """
    SELECT min(at) FROM (
        SELECT min(due_at) AS at FROM outbox WHERE due_at > ?
        UNION ALL SELECT min(expected_at) + 10000 FROM orders
            WHERE settled_at IS NULL AND status <> 'parked' AND expected_at + 10000 > ?
        UNION ALL SELECT min(due_at) FROM subscriptions WHERE due_at > ?
        UNION ALL SELECT min(until) FROM bookings WHERE state IN ('held', 'waiting') AND until > ?
        -- What a wrong clock has put ahead is looked for every few rounds of a loop.
        UNION ALL SELECT ? + 10000 FROM outbox JOIN orders ON id = order_id
            WHERE (due_at > ? AND flow NOT LIKE ?) OR updated_at > ?
    )
"""


async def until_quiet(world: World) -> bool:
    """Wait until nothing is under way; False, and a violation, when that takes too long."""
    never = asyncio.Event()
    until = world.loop.elapsed + BOUND_SECONDS
    busy = "?"
    while busy:
        await world.pace.rest(never, 1.0)
        busy = _busy(world)
        if world.own is not None:
            until = max(until, _awaited_until(world) + BOUND_SECONDS)
        if busy and world.loop.elapsed > until:
            world.say("stuck", busy)
            return False
    return True


def _awaited_until(world: World) -> float:
    """Say until when somebody may answer: days, where a user's flow has it so."""
    due: int | None = world.store.rows(_AWAITED)[0][0]
    until = START_MS if due is None else due
    steps = world.processes[0].app.engine.registry.steps.values()
    elsewhere = [it.seconds for it in steps if isinstance(it, ExternalStep)]
    if elsewhere:  # whose deadline is no row, but looked for
        asked: int | None = world.store.rows(_WITH_OTHERS)[0][0]
        longest = max(elsewhere) + LONGEST_OF_DAYS_SECONDS
        until = max(until, START_MS if asked is None else asked + round(longest * 1000))
    return (until - START_MS) / 1000


class Dues:
    """In how many seconds something is due by itself."""

    def __init__(self, world: World) -> None:
        """Nothing was looked up yet."""
        self._world = world
        self._looked = -1
        """After which event `_due` was looked up."""
        self._due: int | None = None

    def clear(self) -> None:
        """Another database: look again."""
        self._looked, self._due = -1, None

    def next_seconds(self) -> float | None:
        """Say it; None: nothing is."""
        world, now = self._world, _now_ms(self._world)
        if self._looked != world.pace.events or (self._due is not None and self._due <= now):
            # Once for all who rest, until something happens: they ask a thousand times a story.
            far = now + round((OWN_FAR_SECONDS if world.own else FAR_SECONDS) * 1000)
            ahead = now + CLOCK_SLACK_MS
            self._due = world.store.rows(_DUES, *[now] * 5, far, RENEWALS, ahead)[0][0]
            self._looked = world.pace.events
        return None if self._due is None else (self._due - now) / 1000


def _busy(world: World) -> str:
    if world.outside.under_way:
        return "a request to the outside is under way"
    for name, box in world.queues.boxes.items():
        if box.messages and not name.endswith(DEAD_LETTER_SUFFIX):
            if name in world.installed.external:
                continue  # nobody of ours reads it
            return f"messages are left in {name}"
    now = _now_ms(world)
    rows = world.store.rows(_MOVING, FOREIGN_FLOW.key, RENEWALS, now + FAR_SECONDS * 1000)
    if moving := [row for row in rows if not (row[3] and _has_saved_error(world, row[0]))]:
        return f"order {moving[0]} is on its way"
    # What is so long behind waits for somebody who asks for it.
    query = "SELECT id FROM subscriptions WHERE due_at BETWEEN ? AND ?"
    due = world.store.rows(query, now - MONTH_MS + 60_000, now)
    return f"subscription {due[0]} is due" if due else ""


def _has_saved_error(world: World, order_id: str) -> bool:
    """Whether the provider has kept an error for this order, for a day.

    Of a few such orders, and nobody else, nobody can tell that it is not out: they wait for it.
    """
    return any(
        isinstance(answer, Exception) and until > world.loop.elapsed
        for key, (answer, _, until) in world.outside.answers.items()
        if key.startswith(f"{order_id}/")
    )


def _now_ms(world: World) -> int:
    return START_MS + round(world.loop.elapsed * 1000)
