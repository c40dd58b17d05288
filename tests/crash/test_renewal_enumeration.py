"""Renewals with a crash at every durable point: also while a timer of many days fires."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.crash.enumeration import (
    OTHER,
    both_ways_at_points,
    crash_at,
    durable_points,
    record,
    sampled,
)
from tests.crash.scenarios_renewal import RENEWALS, RenewalScenario
from tests.flows.machines import machine_of
from tests.flows.renewals import (
    assert_clean,
    charges,
    live_on,
    make_plan,
    states,
    subscribe,
    until_quiet,
)

from conveyor.flows.renewal.subscriptions.model import SubscriptionStatus
from conveyor.system.composition import App
from conveyor.testing.crashing import Boundaries, Crash
from conveyor.testing.invariants.files import check_goods
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import Machine

pytestmark = pytest.mark.timeout(300)  # a life for each point of another

SECOND_DAY = 1.01
SAMPLE = 3
"""A day is long, and most of it is what other renewals do, too."""

by_scenario = pytest.mark.parametrize("scenario", RENEWALS, ids=lambda scenario: scenario.name)


@both_ways_at_points
@by_scenario
def test_a_renewal_survives_a_crash_at_every_durable_point(
    scenario: RenewalScenario, rides: bool, every: int
) -> None:
    points = durable_points(record(scenario, rides=rides))
    assert len(points) > 5
    for point in points[:: sampled(scenario, RENEWALS, OTHER * every)]:
        crash_at(scenario, point, rides=rides)


def test_a_renewal_cancelled_right_after_the_crash_is_settled() -> None:
    for point in durable_points(record(RENEWALS[0])):
        crash_at(RENEWALS[0], point, cancel_at_once=True)


async def settle(app: App) -> None:
    await until_quiet(app)
    await assert_clean(app)


def test_a_retry_survives_a_crash_at_every_third_durable_point_of_its_day(tmp_path: Path) -> None:
    async def first(app: App) -> None:
        await make_plan(app, retry_days=(1,))
        await subscribe(app, [("poor", "card_insufficient_funds"), ("good", "card_ok")])

    first_day = machine_of("renewal", tmp_path / "first")
    live_on(first_day, 0, first)

    def second_day(name: str) -> Machine:
        shutil.copytree(first_day.directory, tmp_path / name)
        world = machine_of("renewal", tmp_path / name)
        world.elapsed, world.seed = SECOND_DAY * 86_400, 7
        return world

    boundaries = Boundaries()
    second_day("recorded").run(settle, boundaries)
    points = durable_points(boundaries.names)
    assert len(points) > 10
    for point in points[::SAMPLE]:
        world = second_day(f"crashed-{point}")
        with pytest.raises(Crash):
            world.run(settle, Boundaries(point))
        check_tokens(world.directory)
        world.run(settle)
        check_goods(world.directory)
        assert states(world.directory) == {
            "poor": (SubscriptionStatus.CANCELLED, 0),
            "good": (SubscriptionStatus.ACTIVE, 1),
        }
        assert [day for day, _ in charges(world.directory)["poor"]] == [0, 1]
        shutil.rmtree(world.directory)
