"""The simulator: what it finds, that it finds it again, and how it tells of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from tests.api.serving import Server, place, stock_up, wait_for

from conveyor.core.outbox import OwedToken
from conveyor.core.reconciler import Reconciler
from conveyor.core.relay import Relay
from conveyor.testing import simulate
from conveyor.testing.drawing import draw
from conveyor.testing.shrinking import shorten
from conveyor.testing.story import FLOWS, Event, Story
from conveyor.testing.world import World


@cache
def world() -> World:
    return World()


def summary(flow: str, seed: int) -> tuple[object, ...]:
    outcome = world().play(draw(seed, flow))
    told = [(v.name, v.what) for v in outcome.violations]
    return outcome.steps, outcome.seconds, told, world().timelines()


@pytest.mark.parametrize("flow", FLOWS)
def test_a_seed_is_the_same_life_again(flow: str) -> None:
    assert summary(flow, 5) == summary(flow, 5)


def test_a_seed_is_the_same_life_in_another_process() -> None:
    code = (
        "from conveyor.testing.world import World\n"
        "from conveyor.testing.drawing import draw\n"
        "w = World(); o = w.play(draw(11, 'all')); print(o.steps, o.seconds, w.timelines())"
    )
    lives = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(lives) == 1


def test_a_story_is_shortened_to_what_matters() -> None:
    story = draw(3, "all")
    needed = {story.kept[1], story.kept[-1]}

    def breaks(tried: Story) -> bool:
        return needed <= set(tried.kept)

    assert set(shorten(story, breaks).kept) == needed


def test_what_is_undisturbed_breaks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    calm = [seed for seed in range(200) if not draw(seed, "all").faults][:8]
    assert [v for seed in calm for v in world().play(draw(seed, "all")).violations] == []
    assert capsys.readouterr().out == ""


def test_two_lots_of_strangers_may_stand_there_from_the_same_moment() -> None:
    lot = Event(0.2, "strangers", {"count": 3})
    assert world().play(Story(1, "shop", (lot, lot), (0, 1))).violations == []


@pytest.fixture
def sent_once_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forget_first(self: Relay, name: str, rows: list[OwedToken]) -> None:
        await self._delete_rows([rows])
        await send(self, name, rows)

    async def blind(_self: Reconciler) -> int:
        return 0

    send = Relay._send_to
    monkeypatch.setattr(Relay, "_send_to", forget_first)
    monkeypatch.setattr(Reconciler, "reconcile_once", blind)


@pytest.mark.usefixtures("sent_once_at_most")
def test_a_violation_is_told_shortened_and_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--flow", "shop", "--runs", "200", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["violations"]
    assert len(told["story"]) <= 5
    assert simulate.main(["--flow", "shop", "--replay", told["replay"]]) == 1
    assert told["violations"][0][0] in capsys.readouterr().out


LIVES_THAT_WERE_RIGHT = {
    "a fee stays due where its undoing was parked": ("food", "12003188:1,5,8"),
    "what a clock put an hour ahead is found by and by": ("shop", "20023350:4,5,8"),
    "a backup forgot a call that took effect late": ("shop", "30013465:1,2,3,4"),
    "it turns back unless its parcel was taken, and is lost": ("shop", "20035656:1,2,3,4,5,8,11"),
}
"""Long runs found them: the rules were wrong, or looked too late."""


@pytest.mark.parametrize(
    ("flow", "story"), LIVES_THAT_WERE_RIGHT.values(), ids=LIVES_THAT_WERE_RIGHT
)
def test_what_was_right_is_not_called_wrong(
    flow: str, story: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate.main(["--flow", flow, "--replay", story]) == 0
    assert "It breaks nothing." in capsys.readouterr().out


def test_a_replay_that_names_no_seed_is_turned_away(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--replay", "yesterday"]) == 2
    assert "SEED" in capsys.readouterr().err


def test_runs_and_faults_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    status = simulate.main(["--flow", "renewal", "--runs", "5", "--seed", "1", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (status, told["runs"]) == (0, 5)
    assert told["steps"] > 1_000


def test_a_system_that_lives_in_the_same_process_goes_on(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        for seed in range(20):
            world().play(draw(seed, "all"))
        client = server.client()
        stock_up(client)
        wait_for(client, place(client), "completed")
        assert client.get("/readyz").json() == {"status": "ok"}
