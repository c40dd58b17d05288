"""The night of renewals, as its README tells it."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import running, say, until

EXAMPLE = Path(__file__).parents[2] / "examples" / "renewals"
FILE = EXAMPLE / "subscriptions.csv"
BY_HAND = {"CONVEYOR_RENEWAL_SCAN_SECONDS": "0"}
PAST_DUE = {"card_insufficient_funds", "card_payday"}


def cards() -> Counter[str]:
    with FILE.open(encoding="utf-8") as file:
        return Counter(row["card"] for row in csv.DictReader(file))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    here = ("--data", directory)
    say("plans", "set", "monthly", 999, "USD", *here)
    say("plans", "set", "yearly", 9_990, "USD", "--months", 12, "--afterwards", "suspend", *here)
    assert say("subscriptions", "import", FILE, *here).out == "300 begun, 0 were there before.\n"
    return directory


@pytest.fixture
def started(data: Path) -> Iterator[Path]:
    say("renewals", "pause", "--data", data)
    with running(data, **BY_HAND):
        yield data


def status(data: Path) -> Any:
    return say("renewals", "status", "--data", data, "--json").json()


def test_the_readme_counts_right() -> None:
    found = cards()
    past_due = sum(found[card] for card in PAST_DUE)
    told = (EXAMPLE / "README.md").read_text()
    assert f"{300 - past_due - found['card_stolen']} cards pay" in told
    assert f"{past_due} have no money today" in told
    assert f"{found['card_stolen']} are stolen" in told


def test_the_night_goes_as_it_is_told(started: Path) -> None:
    here = ("--data", started)
    found = cards()
    past_due = sum(found[card] for card in PAST_DUE)
    assert "300 are due" in say("renewals", "due", "--limit", 5, *here).out
    assert "paused" in say("renewals", "run", *here).out

    say("renewals", "resume", "--per-cent", 10, "--per-second", 100, *here)
    first = say("renewals", "run", "--json", *here).json()["started"]
    assert 15 < first < 50
    say("renewals", "resume", *here)
    rest = say("renewals", "run", "--json", *here).json()["started"]
    assert first + rest == 300

    def rested() -> Any:
        counts = status(started)["renewals"]
        return counts.get("open") == past_due and counts

    paid = 300 - past_due - found["card_stolen"]
    assert until(rested) == {
        "extended": paid,
        "open": past_due,
        "ended": found["card_stolen"],
    }
    say("subscriptions", "card", "sub-003", "card_ok", *here)
    until(lambda: status(started)["renewals"]["extended"] == paid + 1)
    assert "active" in say("subscriptions", "show", "sub-003", *here).out
    waiting = say("orders", "list", "--status", "awaiting", "--json", *here).json()[0]["id"]
    story = say("explain", waiting, *here).out
    assert "awaits another card" in story
    assert "insufficient funds" in story
    assert say("audit", "--json", *here).json()["clean"]


def test_renewals_of_another_system_can_be_replayed(data: Path, tmp_path: Path) -> None:
    with FILE.open(encoding="utf-8") as file:
        monthly = [row for row in csv.DictReader(file) if row["plan"] == "monthly"][:40]
    lines = [
        {
            "flow": "renewal",
            "customer": {"id": row["customer"]},
            "currency": "USD",
            "items": [{"sku": "monthly", "quantity": 1, "unit_price": 999}],
            "payment": {"method": row["card"]},
            "subscription": row["id"],
            "period": 0,
        }
        for row in monthly
        if row["card"] == "card_ok"
    ]
    orders = tmp_path / "orders.jsonl"
    orders.write_text("".join(json.dumps(line) + "\n" for line in lines))
    say("renewals", "pause", "--data", data)
    result = say("replay", orders, "--data", data, "--json").json()
    assert result["by_status"] == {"completed": len(lines)}
    assert status(data)["renewals"] == {"extended": len(lines)}
    assert say("audit", "--data", data, "--json").json()["clean"]
