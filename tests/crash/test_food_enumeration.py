"""Meals with a crash at every durable point: of ours, of the simulated restaurant and the rider."""

from __future__ import annotations

import pytest
from tests.crash.enumeration import (
    OTHER,
    both_ways_at_points,
    crash_at,
    durable_points,
    record,
    sampled,
)
from tests.crash.scenarios_food import MEALS, FoodScenario

pytestmark = pytest.mark.timeout(300)  # a life for each point of another

by_scenario = pytest.mark.parametrize("scenario", MEALS, ids=lambda scenario: scenario.name)


@both_ways_at_points
@by_scenario
def test_a_meal_survives_a_crash_at_every_durable_point(
    scenario: FoodScenario, rides: bool, every: int
) -> None:
    points = durable_points(record(scenario, rides=rides))
    assert len(points) > 5
    for point in points[:: sampled(scenario, MEALS, OTHER * every)]:
        crash_at(scenario, point, rides=rides)


def test_a_meal_cancelled_right_after_the_crash_is_settled() -> None:
    for point in durable_points(record(MEALS[0])):
        crash_at(MEALS[0], point, cancel_at_once=True)
