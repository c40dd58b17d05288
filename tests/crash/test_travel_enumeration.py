"""Journeys with a crash at every durable point: seats add up, in turn, and no money is kept."""

from __future__ import annotations

import pytest
from tests.crash.enumeration import crash_at, durable_points, record
from tests.crash.scenarios_travel import JOURNEYS, TravelScenario

pytestmark = pytest.mark.timeout(600)  # a life for each point of another

PARTS = 2

by_scenario = pytest.mark.parametrize("scenario", JOURNEYS, ids=lambda scenario: scenario.name)
by_part = pytest.mark.parametrize("part", range(PARTS))


@by_part
@by_scenario
def test_a_journey_survives_a_crash_at_every_durable_point(
    scenario: TravelScenario, part: int
) -> None:
    points = durable_points(record(scenario))
    assert len(points) > 20
    for point in points[part :: PARTS * scenario.every]:
        crash_at(scenario, point)


@by_part
@pytest.mark.parametrize("scenario", JOURNEYS[3:4], ids=lambda scenario: scenario.name)
def test_a_journey_cancelled_right_after_the_crash_is_settled(
    scenario: TravelScenario, part: int
) -> None:
    for point in durable_points(record(scenario))[part::PARTS]:
        crash_at(scenario, point, cancel_at_once=True)
