"""Invariants 1 to 10, with a crash at every point at which one makes a difference.

A point is a commit, a call of a queue or a provider's answer; between two of them nothing durable
changes, so that a crash anywhere between is the same crash. To see that this holds, the happy
order is also crashed between every two awaits.
"""

from __future__ import annotations

import pytest
from tests.crash.enumeration import crash_at, durable_points, record
from tests.crash.scenarios import SCENARIOS, Scenario

pytestmark = pytest.mark.timeout(600)  # a life for each point of another

PARTS = 4
HAPPY = SCENARIOS[0]

by_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
by_part = pytest.mark.parametrize("part", range(PARTS))


@by_part
@by_scenario
def test_an_order_survives_a_crash_at_every_durable_point(scenario: Scenario, part: int) -> None:
    points = durable_points(record(scenario))
    assert len(points) > 20
    for point in points[part::PARTS]:
        crash_at(scenario, point)


@by_part
@by_scenario
def test_an_order_cancelled_right_after_the_crash_is_settled(scenario: Scenario, part: int) -> None:
    for point in durable_points(record(scenario))[part::PARTS]:
        crash_at(scenario, point, cancel_at_once=True)


@by_part
def test_the_happy_order_survives_a_crash_between_any_two_awaits(part: int) -> None:
    names = record(HAPPY)
    settled = max(at for at, name in enumerate(names, 1) if name == "after delete")
    for point in range(1 + part, settled + 1, PARTS):
        crash_at(HAPPY, point)
