"""The rules of restaurants and riders: who is open, who is near, and who is asked next."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conveyor.core.routing_slip import Place
from conveyor.flows import FOOD, SHOP
from conveyor.flows.food.restaurants.model import MINUTES_A_DAY, Restaurant, span_minutes
from conveyor.flows.food.riders.model import (
    CIRCLES_METRES,
    LOAD_METRES,
    METRES_A_DEGREE,
    Point,
    Rider,
    box_around,
    choose,
)

NOW = 1_000
SHIFT = 2_000
HERE = Point(52.5, 13.4)

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)
points = st.builds(Point, latitudes, longitudes)
near = st.floats(-0.1, 0.1)


@st.composite
def fleets(draw: st.DrawFn) -> list[Rider]:
    count = draw(st.integers(0, 12))
    return [
        Rider(
            "m",
            f"r{number}",
            HERE.latitude + draw(near),
            HERE.longitude + draw(near),
            draw(st.sampled_from([0, NOW, SHIFT])),
            capacity=draw(st.integers(1, 3)),
            load=draw(st.integers(0, 3)),
            heard_at=0,
        )
        for number in range(count)
    ]


def cost(rider: Rider) -> int:
    return int(rider.place.metres_to(HERE)) + LOAD_METRES * rider.load


def circle_of(rider: Rider) -> int | None:
    metres = int(rider.place.metres_to(HERE))
    return next((at for at, circle in enumerate(CIRCLES_METRES) if metres <= circle), None)


@given(fleets(), st.sets(st.sampled_from([f"r{n}" for n in range(12)])))
def test_the_choice_is_free_unasked_and_the_best_of_the_first_circle(
    fleet: list[Rider], asked: set[str]
) -> None:
    able = [
        rider
        for rider in fleet
        if rider.shift_until > NOW
        and rider.load < rider.capacity
        and rider.id not in asked
        and circle_of(rider) is not None
    ]
    choice = choose(fleet, HERE, asked, NOW)
    if choice is None:
        assert not able
        return
    assert choice.rider in able
    first = min(circle_of(rider) or 0 for rider in able)
    rivals = [rider for rider in able if circle_of(rider) == first]
    assert cost(choice.rider) == min(cost(rider) for rider in rivals)
    assert choice.metres == int(choice.rider.place.metres_to(HERE))


@given(fleets())
def test_asking_on_and_on_asks_everybody_once(fleet: list[Rider]) -> None:
    asked: list[str] = []
    while choice := choose(fleet, HERE, asked, NOW):
        assert choice.rider.id not in asked
        asked.append(choice.rider.id)
    assert len(asked) <= len(fleet)


@given(st.permutations(range(6)))
def test_the_order_of_the_list_does_not_matter(order: list[int]) -> None:
    fleet = [Rider("m", f"r{n}", HERE.latitude, HERE.longitude, SHIFT, 1, 0, 0) for n in order]
    choice = choose(fleet, HERE, (), NOW)
    assert choice is not None
    assert choice.rider.id == "r0"


def test_a_nearer_rider_with_a_load_gives_way_to_a_free_one_of_the_same_circle() -> None:
    loaded = Rider("m", "loaded", HERE.latitude, HERE.longitude, SHIFT, 3, 1, 0)
    degrees = 900 / METRES_A_DEGREE
    free = replace(loaded, id="free", latitude=HERE.latitude + degrees, load=0)
    distant = replace(free, id="distant", latitude=HERE.latitude + 2 * degrees)
    for other, best in ((free, "free"), (distant, "loaded")):
        choice = choose([loaded, other], HERE, (), NOW)
        assert choice is not None
        assert choice.rider.id == best


@given(points, points)
def test_distance_is_a_distance(one: Point, other: Point) -> None:
    assert one.metres_to(one) == 0
    assert one.metres_to(other) == pytest.approx(other.metres_to(one))
    assert 0 <= one.metres_to(other) <= 20_016_000


def test_a_known_distance() -> None:
    berlin, paris = Point(52.5200, 13.4050), Point(48.8566, 2.3522)
    assert berlin.metres_to(paris) == pytest.approx(877_500, rel=0.001)


@given(points, points, st.sampled_from(CIRCLES_METRES))
def test_whoever_is_in_the_circle_is_in_the_box(centre: Point, other: Point, metres: int) -> None:
    box = box_around(centre, metres)
    if centre.metres_to(other) <= metres:
        assert box.south - 1e-9 <= other.latitude <= box.north + 1e-9
        assert box.west - 1e-9 <= other.longitude <= box.east + 1e-9


@given(points, st.floats(0, 360), st.floats(0, 1), st.sampled_from(CIRCLES_METRES))
def test_a_point_of_the_circle_is_in_the_box(
    centre: Point, bearing: float, part: float, metres: int
) -> None:

    angle, way = math.radians(bearing), part * 0.999 * metres / 6_371_000
    north = math.radians(centre.latitude)
    there = math.asin(
        max(
            -1,
            min(
                1,
                math.sin(north) * math.cos(way) + math.cos(north) * math.sin(way) * math.cos(angle),
            ),
        )
    )
    across = math.atan2(
        math.sin(angle) * math.sin(way) * math.cos(north),
        math.cos(way) - math.sin(north) * math.sin(there),
    )
    longitude = (centre.longitude + math.degrees(across) + 540) % 360 - 180
    box = box_around(centre, metres)
    assert box.south - 1e-6 <= math.degrees(there) <= box.north + 1e-6
    assert box.west - 1e-6 <= longitude <= box.east + 1e-6


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


LUIGI = Restaurant(
    "m",
    "luigi",
    0,
    0,
    zone="Europe/Berlin",
    hours={"fri": ("11:30-14:30", "18:00-02:00"), "sun": ("12:00-24:00",)},
)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-01-02T10:29", False),  # Berlin is an hour ahead
        ("2026-01-02T10:30", True),
        ("2026-01-02T13:30", False),
        ("2026-01-02T17:00", True),
        ("2026-01-03T00:59", True),  # Friday night lasts until two on Saturday
        ("2026-01-03T01:00", False),
        ("2026-01-04T22:59", True),
        ("2026-01-04T23:00", False),
        ("2026-07-03T09:29", False),  # two hours in summer
        ("2026-07-03T09:30", True),
        ("2026-01-05T12:00", False),
    ],
)
def test_opening_hours(moment: str, is_open: bool) -> None:
    assert LUIGI.is_open(at(moment)) == is_open
    assert not replace(LUIGI, paused=True).is_open(at(moment))
    assert replace(LUIGI, hours={}).is_open(at(moment))


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 23), st.integers(0, 59))
def test_a_span_is_never_empty_nor_longer_than_a_day(a: int, b: int, c: int, d: int) -> None:
    start, end = span_minutes(f"{a:02}:{b:02}-{c:02}:{d:02}")
    assert 0 < end - start <= MINUTES_A_DAY


@pytest.mark.parametrize("span", ["", "11-14", "24:00-01:00", "11:00-25:00", "11:00"])
def test_what_is_no_span(span: str) -> None:
    with pytest.raises(ValueError, match="span of hours"):
        span_minutes(span)


@given(st.integers(0, len(FOOD.steps) - 1), st.integers(0, 10**15))
def test_a_fee_is_owed_once_the_restaurant_has_accepted(position: int, total: int) -> None:
    fee = FOOD.fee_of(Place(position), total)
    assert fee == (total // 2 if position > 1 else 0)
    assert 0 <= fee <= total
    assert SHOP.fee_of(Place(min(position, 4)), total) == 0
