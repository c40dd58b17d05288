"""Who did what, as `conveyor operators log` tells it and as orders keep it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from pwd import getpwuid
from socket import gethostname
from typing import Any

import pytest
from tests.cli.driver import bodies, running, say, until

ME = f"{getpwuid(os.getuid()).pw_name}@{gethostname()}"
FAULTY = {
    "CONVEYOR_EXTENSIONS": "tests.flows.blurting:EXTENSION",
    "CONVEYOR_MAX_RECEIVES": "1",
}


@pytest.fixture(autouse=True)
def as_oneself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)


def log(data: Path, *arguments: object, **environment: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = say(
        "operators", "log", "--data", data, "--json", *arguments, **environment
    ).json()
    return found


def test_a_command_without_a_server_names_the_user_and_the_machine(tmp_path: Path) -> None:
    say("stock", "set", "CD", 5, "--why", "counted anew", "--data", tmp_path)
    [one] = log(tmp_path)
    assert one.pop("at")
    assert one == {
        "action": "stock.set",
        "order": None,
        "subject": "CD",
        "merchant": "default",
        "key": "local",
        "label": None,
        "person": ME,
        "place": "command line",
        "why": "counted anew",
        "detail": {"available": 5},
    }
    assert "counted anew" in say("operators", "log", "--data", tmp_path).out


def test_what_was_done_to_an_order_is_in_its_story_and_in_the_log(tmp_path: Path) -> None:
    with running(tmp_path, **FAULTY):
        order = json.dumps(bodies(1)[0] | {"flow": "blurt"})
        order_id = say("place", "-", "--data", tmp_path, stdin=order).out.strip()

        def parked() -> bool:
            found = say("dead-letters", "list", "--data", tmp_path, "--json").json()
            return bool(found["orders"])

        until(parked)
        say("dead-letters", "redrive", order_id, "--why", "it is mended", "--data", tmp_path)
        until(parked)
        key = say(
            "keys",
            "create",
            "--scopes",
            "operate",
            "--label",
            "night shift",
            "--data",
            tmp_path,
            "--json",
        ).json()
        with_key = {"CONVEYOR_API_KEY": key["key"]}
        said = say(
            "dead-letters",
            "discard",
            order_id,
            "--reason",
            "a bad day",
            "--data",
            tmp_path,
            **with_key,
        )
        assert said.code == 0, said.err

        of_order = log(tmp_path, "--order", order_id)
        assert [
            (it["action"], it["person"], it["label"], it["place"], it["why"]) for it in of_order
        ] == [
            ("orders.discard", None, "night shift", "127.0.0.1", "a bad day"),
            ("orders.redrive", ME, None, "command line", "it is mended"),
        ]
        assert [it["action"] for it in log(tmp_path, "--key", key["id"])] == ["orders.discard"]
        assert key["id"] in {it["subject"] for it in log(tmp_path, "--action", "keys.create")}
        assert log(tmp_path, "--since", "2100-01-01T00:00:00Z") == []
        assert len(log(tmp_path, "--limit", 1)) == 1
        told = say("explain", order_id, "--data", tmp_path).out
    assert f"let it take its step again (why it is mended, by {ME}, from command line)" in told
    assert "given up: a bad day (by night shift (key " in told
    assert "from 127.0.0.1" in told


def test_who_has_a_key_cannot_say_that_they_are_somebody(tmp_path: Path) -> None:
    """The name of a person is believed of whoever may read the data directory."""
    key = say("keys", "create", "--scopes", "operate", "--data", tmp_path, "--json").json()
    say("stock", "set", "CD", 5, "--data", tmp_path, CONVEYOR_API_KEY=key["key"])
    [one] = log(tmp_path, "--action", "stock.set")
    assert (one["person"], one["key"]) == (None, key["id"])
