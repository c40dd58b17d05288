"""The test of the test: a planted bug must be found, and soon."""

from __future__ import annotations

from functools import cache

import pytest

from conveyor.testing.planted import BUGS, runs_until_found
from conveyor.testing.planted.planting import Planted
from conveyor.testing.world import World

MOST_RUNS = 100
# These are found in a few stories each; the others take hundreds: see `conveyor.testing.planted`.
SOON = (
    "acknowledge_first",
    "forget_first",
    "no_fence",
    "undo_one_less",
    "undo_one_less_food",
    "undo_one_less_travel",
    "no_reconciler",
    "no_sweeper",
    "ship_is_done",
    "ship_twice",
    "no_refund",
    "keyless",
    "unknown_is_no_charge",
)


@cache
def world() -> World:
    return World()


@pytest.mark.parametrize(
    "planted", [bug for bug in BUGS if bug.name in SOON], ids=lambda bug: bug.name
)
def test_it_is_found(planted: Planted) -> None:
    assert runs_until_found(world(), planted, MOST_RUNS)[0]


def test_there_are_thirty_and_each_is_taken_out_again() -> None:
    assert len(BUGS) >= 30
    for planted in BUGS:
        before = [vars(owner)[name] for owner, name, _ in planted.replaced]
        with planted.in_place():
            pass
        assert [vars(owner)[name] for owner, name, _ in planted.replaced] == before
