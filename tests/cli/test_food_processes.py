"""Meals on PostgreSQL and SQS, in two worker processes, one of which is killed in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.driver import Process, say, until, write_lines
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server

MEALS = 40
PLACE = {"latitude": 52.5, "longitude": 13.4}
SHIFT = "2100-01-01T00:00:00Z"
IMPATIENT = {
    "CONVEYOR_OFFER_DEADLINE_SECONDS": "3",
    "CONVEYOR_RIDER_SILENCE_SECONDS": "3",
    "CONVEYOR_FOOD_PACE_SECONDS": "0",
    "CONVEYOR_VISIBILITY_SECONDS": "10",
}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A deployment with a town in it."""
    with postgres_server(durable=False) as postgres, ministack_server() as sqs:
        deployment = AWS_TEST_ENVIRONMENT | {
            "CONVEYOR_DATABASE_URL": postgres.fresh_database(),
            "CONVEYOR_QUEUE_URL": f"sqs://eu-west-1/meals-?endpoint_url={sqs.endpoint_url}",
            "CONVEYOR_DATA": str(tmp_path / "data"),
            **IMPATIENT,
        }
        assert say("migrate", **deployment).code == 0
        assert say("queues", "provision", **deployment).code == 0
        yield deployment


def town(environment: dict[str, str]) -> None:
    kitchen = {"id": "luigi", **PLACE, "max_preparing": MEALS, "simulated": "prompt"}
    fleet = [
        {"id": f"r{n}", **PLACE, "shift_until": SHIFT, "capacity": MEALS, "simulated": behaviour}
        for n, behaviour in enumerate(("refusing", "vanishing", "prompt"))
    ]
    for what, rows in (("restaurants", [kitchen]), ("riders", fleet)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        assert say(what, "import", "-", stdin=text, **environment).code == 0


@pytest.mark.timeout(300)  # two deaths' visibility time-outs, and whatever else runs beside it
def test_meals_survive_the_death_of_a_worker(environment: dict[str, str], tmp_path: Path) -> None:
    town(environment)
    key = say("keys", "create", "--scopes", "place,read,operate,audit", **environment).out.strip()
    meals = [
        {
            "flow": "food",
            "customer": {"id": str(number)},
            "currency": "EUR",
            "items": [{"sku": "PIZZA", "quantity": 1, "unit_price": 900 + number}],
            "payment": {"method": "card_ok"},
            "restaurant": "luigi",
            "drop_off": PLACE,
        }
        for number in range(MEALS)
    ]
    file = write_lines(tmp_path / "meals.jsonl", meals)
    with (
        Process("serve", "--port", 0, "--json", **environment) as api,
        Process("work", "all", "--json", **environment) as doomed,
        Process("work", "all", "--json", **environment) as worker,
    ):
        served = {"CONVEYOR_SERVER": api.ready()["url"], "CONVEYOR_API_KEY": key}
        doomed.ready()
        worker.ready()
        with Process("replay", file, "--json", **served) as replay:
            until(lambda: say("orders", "list", "--status", "awaiting", "--json", **served).json())
            doomed.popen.kill()
            assert replay.popen.stdout
            result = json.loads(replay.popen.stdout.read())
        audited = say("audit", "--json", **served).json()

    assert result["by_status"] == {"completed": MEALS}
    assert result["captured"] == {"EUR": sum(900 + number for number in range(MEALS))}
    assert audited["clean"] is True
