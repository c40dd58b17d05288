"""A step that raises whenever it is taken: its order is parked in the end, whatever came before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conveyor.testing.story import Event, Story
from conveyor.testing.world import World

TOWN = Event(0.0, "town", {"shape": 2})
STOLEN = {"n": 0, "flow": "renewal", "process": 0, "card": "card_stolen", "quantity": 1}


@pytest.fixture
def world() -> Iterator[World]:
    simulated = World()
    yield simulated
    simulated.close()


@pytest.mark.parametrize("where", ["gather", "step", "record"])
def test_an_order_whose_step_has_a_bug_is_parked(world: World, where: str) -> None:
    """Of a decline too, which is believed only once nobody else can be calling."""
    bug = Event(0.0, "bug", {"n": 0, "where": where, "seconds": 900.0})
    events = (TOWN, Event(0.0, "subscribe", STOLEN), bug)
    outcome = world.play(Story(1, "renewal", events, (0, 1, 2)))
    assert outcome.violations == []
    assert world.store.rows("SELECT event FROM timeline WHERE event = 'parked'")
