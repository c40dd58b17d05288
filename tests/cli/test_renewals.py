"""`conveyor plans`, `subscriptions` and `renewals`, as somebody types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import running, say, until


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def rows(count: int) -> str:
    lines = [f"s-{number},c-{number},monthly,card_ok" for number in range(count)]
    return "\n".join(["id,customer,plan,card", *lines])


def test_a_night_from_the_plan_to_the_audit(data: Path) -> None:
    with running(data, CONVEYOR_RENEWAL_SCAN_SECONDS="0"):
        here = ("--data", data, "--json")
        assert say("plans", "set", "monthly", 999, "USD", *here).json()["price"] == 999
        imported = say("subscriptions", "import", "-", *here, stdin=rows(60))
        assert imported.json() == {"added": 60, "there_before": 0}
        poor = ("poor", "--customer", "c", "--plan", "monthly", "--card", "card_declined")
        assert say("subscriptions", "add", *poor, *here).json()["status"] == "active"
        assert "61 are due: USD 609.39." in say("renewals", "due", "--data", data).out

        say("renewals", "pause", *here)
        paused = say("renewals", "run", "--data", data).out
        assert "0 renewals are started" in paused
        assert "Renewals are paused" in paused
        resumed = say("renewals", "resume", "--per-second", 200, "--data", data).out
        assert "at most 200 a second" in resumed
        assert say("renewals", "run", "--dry", *here).json()["due"] == 61
        assert say("renewals", "run", *here).json()["started"] == 61

        def renewed() -> Any:
            counts = say("renewals", "status", *here).json()["renewals"]
            return counts.get("extended") == 60 and counts

        assert until(renewed) == {"extended": 60, "open": 1}
        until(lambda: "past_due (card declined)" in show(data, "poor"))
        say("subscriptions", "card", "poor", "card_ok", *here)
        until(lambda: "active" in show(data, "poor"))
        assert "ends with its period" in say("subscriptions", "cancel", "s-0", "--data", data).out
        assert say("audit", *here).json()["clean"]


def show(data: Path, name: str) -> str:
    return say("subscriptions", "show", name, "--data", data).out


def test_without_a_server_what_is_started_goes_on_with_the_next_one(data: Path) -> None:
    here = ("--data", data, "--json")
    say("plans", "set", "monthly", 999, "USD", *here)
    line = {"id": "s", "customer": "c", "plan": "monthly", "card": "card_ok"}
    imported = say("subscriptions", "import", "-", *here, stdin=json.dumps(line) + "\n\n")
    assert imported.json()["added"] == 1
    started = say("renewals", "run", "--per-cent", 100, *here)
    assert started.json()["started"] == 1
    with running(data):
        until(lambda: say("subscriptions", "show", "s", *here).json()["period"] == 1)


def test_a_file_that_is_wrong_says_where(data: Path) -> None:
    say("plans", "set", "monthly", 999, "USD", "--data", data)
    header = say("subscriptions", "import", "-", "--data", data, stdin="id,name\ns,n\n")
    assert header.code == 1
    assert "line 1" in header.err
    row = say("subscriptions", "import", "-", "--data", data, stdin=rows(1) + "\nshort,c\n")
    assert "line 3: needs 4 fields" in row.err
    text = say("subscriptions", "import", "-", "--data", data, stdin='{"id": 1}\n{"id"\n')
    assert "line 2: not JSON" in text.err


def test_days_that_are_none_are_refused(data: Path) -> None:
    said = say("plans", "set", "p", 1, "USD", "--retry-days", "soon", "--data", data)
    assert said.code == 2
    assert "no list of days" in said.err
