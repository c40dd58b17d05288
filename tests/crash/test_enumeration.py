"""Invariants 1 to 10, with a crash at every point at which one makes a difference.

A point is a commit, a call of a queue or a provider's answer; between two of them nothing durable
changes, so that a crash anywhere between is the same crash. To see that this holds, the happy
order is also crashed at some of the rounds of the loop in between.
"""

from __future__ import annotations

import pytest
from tests.crash.enumeration import both_ways_at_points, crash_at, durable_points, record, sampled
from tests.crash.scenarios import SCENARIOS, Scenario

pytestmark = pytest.mark.timeout(300)  # a life for each point of another

HAPPY = SCENARIOS[0]
SAMPLE = 3
"""Of points that another test has crashed at, or need not, only every third."""

by_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@both_ways_at_points
@by_scenario
def test_an_order_survives_a_crash_at_every_durable_point(
    scenario: Scenario, rides: bool, every: int
) -> None:
    points = durable_points(record(scenario, rides=rides))
    assert len(points) > 5
    for point in points[:: sampled(scenario, SCENARIOS, every)]:
        crash_at(scenario, point, rides=rides)


@by_scenario
def test_an_order_cancelled_right_after_the_crash_is_settled(scenario: Scenario) -> None:
    for point in durable_points(record(scenario))[:: 1 if scenario is HAPPY else SAMPLE]:
        crash_at(scenario, point, cancel_at_once=True)


def test_the_happy_order_survives_a_crash_where_nothing_durable_happens() -> None:
    names = record(HAPPY)
    settled = max(at for at, name in enumerate(names, 1) if name == "after delete")
    between = sorted({*range(1, settled + 1)} - {*durable_points(names)})
    for point in between[::SAMPLE]:
        crash_at(HAPPY, point)
