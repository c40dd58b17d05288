"""What must not happen on the way where nothing is in the way: the end alone would not tell.

An order that is sent twice, takes a fault or is found by the reconciler ends as it should all the
same, later and dearer.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.crash.enumeration import both_ways
from tests.crash.scenarios import SCENARIOS, Lived
from tests.crash.scenarios_food import MEALS
from tests.crash.scenarios_renewal import RENEWALS
from tests.crash.scenarios_travel import JOURNEYS
from tests.flows.test_storm_and_loss import ORDERS, place_all, until_settled

from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

FLOWS: Mapping[str, Sequence[Lived]] = {
    "shop": SCENARIOS,
    "food": MEALS,
    "travel": JOURNEYS,
    "renewal": RENEWALS,
}
LIVES = {f"{flow}-{life.name}": life for flow, lives in FLOWS.items() for life in lives}
# Those whose provider does not do its part: a fault each time that it does not.
FAULTS = {
    "shop-unanswered": 2,
    "shop-flaky": 4,
    "food-unanswered_capture": 2,
    "food-fee_unanswered": 2,
    "renewal-unanswered": 1,
}
MOST_SECONDS = 20.0
"""Of virtual time, for the slowest: a rest, a lost token or a missed wake-up would take longer."""
DISTURBED = ("resent", "stale", "poisoned", "held")


def told(app: App) -> Counter[str]:
    """Give how often each thing happened."""
    counted: Counter[str] = Counter()
    for (what, _), count in app.engine.tally.items():
        counted[what] += count
    return counted


class CountedQueues:
    """Counts the messages sent to each queue."""

    def __init__(self, queues: Any) -> None:
        self._queues = queues
        self.sent = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queues, name)

    def queue(self, name: str) -> Any:
        return _Counted(self._queues.queue(name), self)


class _Counted:
    def __init__(self, queue: Any, queues: CountedQueues) -> None:
        self._queue, self._queues = queue, queues

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def send(self, messages: Any) -> Any:
        self._queues.sent += len(messages)
        return await self._queue.send(messages)


@both_ways
@pytest.mark.parametrize("name", LIVES)
def test_an_order_goes_its_way_without_a_detour(name: str, rides: bool, tmp_path: Path) -> None:
    life = LIVES[name]
    world = Machine(tmp_path, life.settings | {"ride_on": rides})
    queues: list[CountedQueues] = []

    def counting(inner: Any) -> CountedQueues:
        queues.append(CountedQueues(inner))
        return queues[-1]

    world.wrap_queues = counting
    world.run(life.life())
    seen = told(world.app)
    assert {what: seen[what] for what in DISTURBED} == dict.fromkeys(DISTURBED, 0)
    assert seen["faulted"] == FAULTS.get(name, 0)
    assert world.elapsed <= MOST_SECONDS
    # One message for each step that was handled and did not ride: none was sent twice.
    sent = sum(counted.sent for counted in queues)
    assert rides or not seen["ridden"]
    # What has failed while it rode comes again as a message, which then goes back to its queue.
    assert 0 <= sent + seen["ridden"] - seen["handled"] <= (seen["faulted"] if rides else 0)


@both_ways
def test_orders_that_wait_long_are_not_sent_again(rides: bool, tmp_path: Path) -> None:
    world = Machine(tmp_path, {"delivery_delay_seconds": 1_000.0, "ride_on": rides})

    async def life(app: App) -> None:
        await place_all(app, methods=("card_ok", "card_declined", "card_insufficient_funds"))
        await until_settled(app)

    world.run(life)
    seen = told(world.app)
    assert not {what for what in seen if seen[what]} - {"calling", "handled", "ridden"}
    assert 1_000 < world.elapsed < 1_100
    assert entries(world.directory)["placed"] == ORDERS
    assert not entries(world.directory).keys() & {"fault", "resent", "duplicate_dropped", "unknown"}


def entries(directory: Path) -> Mapping[str, int]:
    """Count the entries of all timelines by what they say happened."""
    query = "SELECT event, count(*) FROM timeline GROUP BY event"
    with closing(sqlite3.connect(directory / "conveyor.db")) as db:
        return dict(db.execute(query))
