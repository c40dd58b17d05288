"""The simulator lives flows of packages that are installed, and finds the bugs in their steps."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conveyor.testing import simulate
from conveyor.testing.drawing import draw
from conveyor.testing.world import World

EXAMPLES = Path(__file__).parents[2] / "examples"
LIVES = 15
MOST_LIVES = 60
"""Within how many the bug is to be found."""

Uses = Callable[[str], None]


@pytest.fixture
def uses(monkeypatch: pytest.MonkeyPatch) -> Uses:
    """Have an extension of `own_flows` installed."""

    def install(name: str) -> None:
        monkeypatch.setenv("CONVEYOR_EXTENSIONS", f"tests.testing.own_flows:{name}")

    return install


@pytest.mark.parametrize(
    ("package", "extension", "flow"),
    [
        ("gift_cards", "gift_cards.flow:EXTENSION", "gift"),
        ("refund_request", "refund_request.flow:EXTENSION", "refund"),
    ],
)
def test_nothing_breaks_in_the_examples(package: str, extension: str, flow: str) -> None:
    command = [sys.executable, "-m", "conveyor.testing.simulate", "--flow", flow, "--json"]
    path = os.pathsep.join([str(EXAMPLES / package), *sys.path])
    lived = subprocess.run(
        [*command, "--runs", str(LIVES)],
        env=os.environ | {"PYTHONPATH": path, "CONVEYOR_EXTENSIONS": extension},
        capture_output=True,
        text=True,
        check=False,
    )
    assert lived.returncode == 0, lived.stdout + lived.stderr
    told = json.loads(lived.stdout)
    assert (told["flow"], told["runs"]) == (flow, LIVES)
    assert len(told["faults"]) > 10


@pytest.mark.parametrize(("name", "flow"), [("MAILED", "mailed"), ("ELSEWHERE", "billed")])
def test_what_is_right_breaks_nothing(uses: Uses, name: str, flow: str) -> None:
    uses(name)
    assert simulate.main(["--flow", flow, "--runs", str(LIVES)]) == 0


def test_a_bug_in_a_step_of_a_user_is_found_shortened_and_told(
    uses: Uses, capsys: pytest.CaptureFixture[str]
) -> None:
    uses("MAILED_ANEW")
    flow = ["--flow", "mailed_anew"]
    assert simulate.main([*flow, "--runs", str(MOST_LIVES), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    (broken,) = told["violations"]
    assert broken[0] == "own_check"
    assert re.fullmatch(r"the life 'a card' of n\d: 2 mails were sent", broken[1])
    ordered, disturbed = sorted(told["story"], key=lambda event: "order:" not in event)
    assert "flow mailed_anew" in ordered
    assert "life a card" in ordered
    assert "provider: operation mail" in disturbed

    assert simulate.main([*flow, "--replay", told["replay"]]) == 1
    said = capsys.readouterr().out
    assert ": ".join(broken) in said
    assert "mailed_anew-mail.send" in said.partition("The story:")[0]


def test_a_seed_is_the_same_life_again(uses: Uses) -> None:
    uses("MAILED")
    lives = []
    for _ in range(2):
        world = World(flow="mailed")
        assert world.own is not None
        outcome = world.play(draw(3, "mailed", world.own.subject))
        lives.append((outcome.steps, outcome.seconds, world.timelines()))
        world.close()
    assert lives[0] == lives[1]


@pytest.mark.parametrize(
    ("name", "flow", "said"),
    [
        ("MAILED", "maild", "no flow 'maild' is installed; there are shop, food, travel, renewal,"),
        ("SILENT", "silent", "the extension silent gives no `lives` of it"),
        ("UNBOUND", "unbound", "its life 'a card' binds nobody to the port 'mail'"),
    ],
)
def test_what_cannot_be_played_is_said(
    uses: Uses, name: str, flow: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    uses(name)
    with pytest.raises(SystemExit) as ended:
        simulate.main(["--flow", flow])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
