"""Started without an extension, a system says that its open orders stand still, and which."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest
from tests.cli.driver import bodies, running, say

GIFTS = {"CONVEYOR_EXTENSIONS": "tests.examples.gifts:BEFORE"}
ADVICE = "Install the package that has it, or name it in CONVEYOR_EXTENSIONS"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def order(data: Path) -> str:
    """The id of an order that an extension's flow has begun with."""
    body = json.dumps(bodies(1)[0] | {"flow": "gift"})
    placed = say("place", "-", "--data", data, "--json", stdin=body, **GIFTS).json()
    identity: str = placed["id"]
    return identity


def test_it_is_said_at_the_start_and_in_the_metrics(data: Path, order: str) -> None:
    with running(data) as (process, ready):
        told = urllib.request.urlopen(f"{ready['url']}/metrics").read().decode()
        said = process.stop()

    assert order
    assert ready["missing_flows"] == {"gift@1": 1}
    assert 'conveyor_orders_without_flow{flow="gift@1"} 1.0' in told
    assert "Warning: 1 open order of gift@1 stands still" in said.err
    assert ADVICE in said.err


def test_the_order_s_story_says_it_and_what_cannot_be_done(data: Path, order: str) -> None:
    told = say("explain", order, "--data", data).out
    cancelled = say("orders", "cancel", order, "--data", data)

    assert "It waits for its flow, gift@1, which is not installed here." in told
    assert f"{ADVICE}, and start again." in told
    assert "Nothing needs to be done" not in told
    assert cancelled.code == 1
    assert "flow gift@1, which is not installed here" in cancelled.err


def test_with_the_extension_it_can_be_cancelled(data: Path, order: str) -> None:
    assert say("orders", "cancel", order, "--data", data, **GIFTS).code == 0
    assert "Warning" not in say("audit", "--data", data).err
