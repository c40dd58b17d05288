"""Journeys with a crash at every durable point: seats add up, in turn, and no money is kept."""

from __future__ import annotations

import pytest
from tests.crash.enumeration import both_ways_at_points, crash_at, durable_points, record, sampled
from tests.crash.scenarios_travel import JOURNEYS, TravelScenario

pytestmark = pytest.mark.timeout(300)  # a life for each point of another

by_scenario = pytest.mark.parametrize("scenario", JOURNEYS, ids=lambda scenario: scenario.name)


@both_ways_at_points
@by_scenario
def test_a_journey_survives_a_crash_at_every_durable_point(
    scenario: TravelScenario, rides: bool, every: int
) -> None:
    points = durable_points(record(scenario, rides=rides))
    assert len(points) > 5
    for point in points[:: sampled(scenario, JOURNEYS, scenario.every * every)]:
        crash_at(scenario, point, rides=rides)


@pytest.mark.parametrize("scenario", JOURNEYS[3:4], ids=lambda scenario: scenario.name)
def test_a_journey_cancelled_right_after_the_crash_is_settled(scenario: TravelScenario) -> None:
    for point in durable_points(record(scenario)):
        crash_at(scenario, point, cancel_at_once=True)
