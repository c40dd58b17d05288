"""The simulator on a real PostgreSQL: transactions of two systems that overlap."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

import psycopg
import pytest
from tests.servers import Postgres

from conveyor.testing import simulate
from conveyor.testing.drawing import draw
from conveyor.testing.postgres import PostgresStore
from conveyor.testing.story import FLOWS
from conveyor.testing.world import World

RUNS = 12
DATABASES = "SELECT count(*) FROM pg_database"


@pytest.fixture(scope="module")
def world(postgres: Postgres) -> Iterator[World]:
    made = World(partial(PostgresStore, postgres.url))
    yield made
    made.close()


@pytest.mark.parametrize("flow", FLOWS)
def test_its_stories_break_nothing(world: World, flow: str) -> None:
    assert [v for seed in range(1, RUNS + 1) for v in world.play(draw(seed, flow)).violations] == []


def test_a_seed_is_the_same_life_again(world: World) -> None:
    """The transactions' statements come in the order that the seed says."""
    lives = []
    for _ in range(2):
        outcome = world.play(draw(3, "all"))
        lives.append((outcome.steps, outcome.seconds, world.timelines()))
    assert lives[0] == lives[1]


def test_the_command_makes_a_database_and_drops_it(
    postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        before = connection.execute(DATABASES).fetchone()
        arguments = ["--database", postgres.url, "--flow", "renewal", "--runs", "2", "--json"]
        assert simulate.main(arguments) == 0
        assert connection.execute(DATABASES).fetchone() == before
    assert json.loads(capsys.readouterr().out)["runs"] == 2
