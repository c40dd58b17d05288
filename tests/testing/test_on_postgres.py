"""The simulator on a real PostgreSQL: transactions of two systems that overlap."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import psycopg
import pytest
from tests.servers.postgres import Postgres

from conveyor.testing import simulate
from conveyor.testing.drawing import draw
from conveyor.testing.postgres import PostgresStore
from conveyor.testing.rush import draw_rush
from conveyor.testing.story import FLOWS
from conveyor.testing.world import World

RUNS = 2
MORE_RUNS = 20
MOST_RUNS = 40
UNLOCKED = ("orders_unlocked", "seats_unlocked", "card_read_early")
DATABASES = "SELECT count(*) FROM pg_database"


@pytest.fixture(scope="module")
def world(postgres: Postgres) -> Iterator[World]:
    made = World(partial(PostgresStore, postgres.url))
    yield made
    made.close()


@pytest.mark.parametrize("runs", [RUNS, pytest.param(MORE_RUNS, marks=pytest.mark.soak)])
@pytest.mark.parametrize("flow", FLOWS)
def test_its_stories_break_nothing(world: World, flow: str, runs: int) -> None:
    stories = [d(seed, flow) for d in (draw, draw_rush) for seed in range(1, runs + 1)]
    assert [v for story in stories for v in world.play(story).violations] == []


def test_a_seed_is_the_same_life_again(world: World) -> None:
    """The transactions' statements come in the order that the seed says."""
    lives = []
    for _ in range(2):
        outcome = world.play(draw(3, "all"))
        lives.append((outcome.steps, outcome.seconds, world.timelines()))
    assert lives[0] == lives[1]


def test_what_is_not_locked_is_found(postgres: Postgres) -> None:
    # A process of its own, as nothing that lives beside it is to have these bugs.
    command = [sys.executable, "-m", "conveyor.testing.planted", "--database", postgres.url]
    searched = subprocess.run(
        [*command, *UNLOCKED, "--most", str(MOST_RUNS)], capture_output=True, text=True, check=False
    )
    assert searched.returncode == 0, searched.stdout + searched.stderr


def test_the_command_makes_a_database_and_drops_it(
    postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        before = connection.execute(DATABASES).fetchone()
        arguments = ["--database", postgres.url, "--flow", "renewal", "--runs", "2", "--json"]
        assert simulate.main(arguments) == 0
        assert connection.execute(DATABASES).fetchone() == before
    assert json.loads(capsys.readouterr().out)["runs"] == 2
