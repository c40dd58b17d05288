"""The day of journeys, as its README tells it, with less patience."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import Said, say

EXAMPLES = Path(__file__).parents[2] / "examples"
FLIGHTS = EXAMPLES / "flights-nyc-2013-01-01.csv"
IMPATIENT = {"CONVEYOR_BOOKING_WAIT_SECONDS": "4", "CONVEYOR_PAYMENT_LATENCY_SECONDS": "0.3"}
TINY = 5
NEARLY_FULL = 0.7


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which everything has happened."""
    directory = tmp_path_factory.mktemp("travel")
    for file, count in ((FLIGHTS, 696), (EXAMPLES / "travel" / "hotels.csv", 6)):
        assert here(directory, "bookings", "import", file, "--json").json() == {"resources": count}
    journeys = directory / "journeys.jsonl"
    script = [sys.executable, str(EXAMPLES / "travel" / "journeys.py")]
    journeys.write_bytes(subprocess.run(script, check=True, capture_output=True).stdout)
    result = here(directory, "replay", journeys, "--json").json()
    assert result["placed"] == 212
    assert result["by_status"].keys() == {"completed", "refused"}
    return directory


def here(data: Path, *arguments: object) -> Said:
    return say(*arguments, "--data", data / "data", **IMPATIENT)


def resources(data: Path, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here(
        data, "bookings", "list", "--kind", kind, "--limit", 1000, "--json"
    ).json()
    return found


def orders(data: Path, status: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here(
        data, "orders", "list", "--status", status, "--limit", 300, "--json"
    ).json()
    return found


def test_seats_are_booked_by_those_who_completed(data: Path) -> None:
    assert here(data, "audit", "--json").json()["clean"]
    assert sum(one["capacity"] for one in resources(data, "flight")) == 97_618
    booked: Counter[str] = Counter()
    completed = {order["reference"] for order in orders(data, "completed")}
    for line in (data / "journeys.jsonl").read_text().splitlines():
        journey = json.loads(line)
        if journey["reference"] in completed:
            for leg in journey["legs"]:
                booked[leg.get("flight") or leg["hotel"]] += (
                    leg["quantity"] if "flight" in leg else 2
                )
    seen: dict[str, int] = defaultdict(int)
    for one in resources(data, "flight") + resources(data, "hotel"):
        seen[one["name"]] += one["booked"]
        assert (one["held"], one["waiting"]) == (0, 0)
    assert {name: count for name, count in seen.items() if count} == dict(booked)


def test_the_smallest_planes_are_nearly_full(data: Path) -> None:
    tiny = [one for one in resources(data, "flight") if one["capacity"] <= TINY]
    seats = sum(one["capacity"] for one in tiny)
    assert NEARLY_FULL * seats < sum(one["booked"] for one in tiny) <= seats


def test_the_stories_say_what_was_held_and_who_waited(data: Path) -> None:
    told = [here(data, "explain", order["id"]).out for order in orders(data, "completed")[:80]]
    assert any("a place came free" in story for story in told)
    assert all("Bookings: " in story for story in told)
    refused = orders(data, "refused")
    assert {order["reason"].partition(":")[0] for order in refused} >= {"full", "card declined"}


def test_a_file_that_is_not_right_is_named_by_its_line(tmp_path: Path) -> None:
    wrong = say("bookings", "import", "-", "--data", tmp_path, stdin="sku,quantity\nCD,5\n")
    assert wrong.code == 1
    assert "line 1" in wrong.err
    too_many = say("bookings", "import", FLIGHTS, "--overbooking", 101, "--data", tmp_path)
    assert too_many.code == 2
