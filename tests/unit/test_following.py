"""What a follower is told twice is told once."""

from __future__ import annotations

from typing import Any, cast

from tests.unit.goods_driver import order

from conveyor.entrypoints.http.events import Following
from conveyor.operations.following import Seen


def test_a_glimpse_is_told_when_it_changes() -> None:
    following = Following(cast("Any", None), "1", None)
    here, there = ({"rider": "r1", "latitude": at} for at in (52.5, 52.6))
    told = [following.tell(Seen(order(1), [], glimpse)) for glimpse in (here, here, there, {})]
    assert [text.count("event: glimpse") for text in told] == [1, 0, 1, 0]
