"""The evening of meals, as its README tells it, with less patience."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import Said, running, say

EXAMPLE = Path(__file__).parents[2] / "examples" / "food"
IMPATIENT = {
    "CONVEYOR_RESTAURANT_DEADLINE_SECONDS": "6",
    "CONVEYOR_OFFER_DEADLINE_SECONDS": "3",
    "CONVEYOR_RIDER_SILENCE_SECONDS": "3",
    "CONVEYOR_FOOD_PACE_SECONDS": "0",
}


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EXAMPLE / name).read_text().splitlines()]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    for what in ("restaurants", "riders"):
        done = say(what, "import", EXAMPLE / f"{what}.jsonl", "--data", directory, "--json")
        assert done.json() == {"set": len(rows(f"{what}.jsonl"))}
    return directory


def here(data: Path, *arguments: object) -> Said:
    return say(*arguments, "--data", data, **IMPATIENT)


def test_the_evening_goes_as_it_is_told(data: Path) -> None:
    meals = rows("meals.jsonl")
    behaviour = {one["id"]: one["simulated"] for one in rows("restaurants.jsonl")}
    behaviour |= {one["id"]: "closed" for one in rows("restaurants.jsonl") if one.get("paused")}
    paid = [meal for meal in meals if meal["payment"]["method"] != "card_declined"]
    brought = [meal for meal in paid if behaviour[meal["restaurant"]] in {"prompt", "slow"}]

    result = here(data, "replay", EXAMPLE / "meals.jsonl", "--json").json()

    assert result["by_status"] == {
        "completed": len(brought),
        "refused": len(meals) - len(brought),
    }
    assert result["captured"] == {"EUR": sum(price_of(meal) for meal in brought)}
    assert here(data, "audit", "--json").json()["clean"]
    assert "0 of 200" in here(data, "restaurants", "list").out
    assert "0 of 3" in here(data, "riders", "list").out
    told = [here(data, "explain", order).out for order in orders(data, "completed")]
    assert any("declined" in story for story in told)
    assert any("did not answer in time" in story or "is silent" in story for story in told)
    refused = " ".join(here(data, "explain", order).out for order in orders(data, "refused"))
    for why in ("rejected it", "did not answer in time", "is closed", "card declined"):
        assert why in refused


def price_of(meal: dict[str, Any]) -> int:
    return sum(int(item["quantity"] * item["unit_price"]) for item in meal["items"])


def orders(data: Path, status: str) -> list[str]:
    found = here(data, "orders", "list", "--status", status, "--limit", 100, "--json").json()
    return [order["id"] for order in found]


def test_keys_for_those_who_answer_themselves(data: Path) -> None:
    with running(data):
        for scope, subject in (("restaurant", "trattoria"), ("rider", "rider-00")):
            made = here(data, "keys", "create", "--scopes", scope, "--subject", subject, "--json")
            assert (made.json()["scopes"], made.json()["subject"]) == ([scope], subject)
        assert "trattoria" in here(data, "keys", "list").out


def test_a_file_that_is_not_right_is_named_by_its_line(data: Path) -> None:
    wrong = say("riders", "import", "-", "--data", data, stdin='{"id": "a"\n')
    assert wrong.code == 1
    assert "line 1" in wrong.err
    wrong = say("riders", "import", "-", "--data", data, stdin='{"latitude": 1}\n')
    assert "needs an object with an id" in wrong.err
    wrong = say("restaurants", "import", "-", "--data", data, stdin='{"id": "a"}\n')
    assert wrong.code != 0
    assert "latitude" in wrong.err
