"""What a process writes to its log, as its operator reads it: JSON, or text at a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import Process, bodies, running, say, until

CANARY = "Canary-Of-The-Mine"
BLURTING = {
    "CONVEYOR_EXTENSIONS": "tests.flows.blurting:EXTENSION",
    "CONVEYOR_MAX_RECEIVES": "2",
    "CONVEYOR_BACKOFF_BASE_SECONDS": "0.01",
}


def lines_of(err: str) -> list[dict[str, Any]]:
    """Give the lines of a log that are JSON: all but those that a signal is answered with."""
    return [json.loads(line) for line in err.splitlines() if not line.startswith("Stopping")]


def live(process: Process, data: Path, order: dict[str, Any], status: str) -> tuple[str, str]:
    """Place an order and wait until it stands so; gives its id, and the log."""
    placed = say("place", "-", "--data", data, stdin=json.dumps(order))
    order_id = placed.out.strip()

    show = ("orders", "show", order_id, "--data", data, "--json")
    until(lambda: say(*show).json()["status"] == status)
    return order_id, process.stop().err


def test_a_settled_order_is_a_line(tmp_path: Path) -> None:
    with running(tmp_path) as (process, _):
        say("stock", "set", "CD", 100, "--data", tmp_path)
        order_id, err = live(process, tmp_path, bodies(1)[0], "completed")
    [line] = [line for line in lines_of(err) if line.get("event") == "settled"]
    assert line.pop("seconds") < 60
    assert line.pop("at").endswith("Z")
    assert line.pop("message").startswith(f"order {order_id} (shop@1) is completed after ")
    assert line == {
        "level": "INFO",
        "logger": "conveyor.orders",
        "event": "settled",
        "order": order_id,
        "flow": "shop@1",
        "status": "completed",
    }


def test_faults_are_told_and_who_is_parked_with_its_trace(tmp_path: Path) -> None:
    order = bodies(1)[0] | {"flow": "blurt", "shipping": {"name": CANARY, "country": "US"}}
    with running(tmp_path, **BLURTING) as (process, _):
        order_id, err = live(process, tmp_path, order, "parked")
    assert CANARY not in err
    told = [line for line in lines_of(err) if line["logger"] == "conveyor.orders"]
    assert [(it["level"], it["event"], it["try"]) for it in told] == [
        ("WARNING", "fault", 1),
        ("WARNING", "fault", 2),
        ("ERROR", "parked", 2),
    ]
    assert {(it["order"], it["step"], it["flow"]) for it in told} == {
        (order_id, "blurt.out", "blurt@1")
    }
    assert "BlurtedError: {" in told[0]["cause"]
    assert "'name': '[personal]'" in told[0]["cause"]
    assert "in blurt" in told[-1]["traceback"]
    assert "BlurtedError" in told[-1]["traceback"]


def test_why_an_order_is_refused_is_told_without_whom_it_was_for(tmp_path: Path) -> None:
    free = {"flow": "blurt", "shipping": {"name": CANARY, "country": "US"}, "total": 0}
    order = bodies(1)[0] | free | {"items": [{"sku": "CD", "quantity": 1}]}
    with running(tmp_path, **BLURTING) as (process, _):
        _, err = live(process, tmp_path, order, "refused")
    [line] = [line for line in lines_of(err) if line.get("event") == "settled"]
    assert line["reason"] == "nothing can be brought to [personal]"
    assert CANARY not in err


@pytest.mark.parametrize(
    ("settings", "tells"),
    [({"CONVEYOR_LOG_FORMAT": "text"}, False), ({"CONVEYOR_LOG_LEVEL": "WARNING"}, False)],
)
def test_settled_orders_are_left_out_where_a_person_reads(
    tmp_path: Path, settings: dict[str, str], tells: bool
) -> None:
    with running(tmp_path, **settings) as (process, _):
        say("stock", "set", "CD", 100, "--data", tmp_path)
        order_id, err = live(process, tmp_path, bodies(1)[0], "completed")
    assert (order_id in err) == tells


def test_text_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    with running(tmp_path, **BLURTING, CONVEYOR_LOG_FORMAT="text") as (process, _):
        order = bodies(1)[0] | {"flow": "blurt"}
        order_id, err = live(process, tmp_path, order, "parked")
    assert f"WARNING conveyor.orders: order {order_id}: blurt.out fails, try 1: " in err
    assert f"ERROR conveyor.orders: order {order_id} is parked at blurt.out, after 2 tries" in err
    assert "Traceback (most recent call last)" in err


def test_a_format_that_is_none_is_refused(tmp_path: Path) -> None:
    said = say("up", "--data", tmp_path, CONVEYOR_LOG_FORMAT="xml")
    assert said.code == 2
    assert "CONVEYOR_LOG_FORMAT" in said.err
