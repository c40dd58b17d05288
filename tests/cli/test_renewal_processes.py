"""Renewals on PostgreSQL and SQS: scans and workers are processes, and some are killed."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import PATIENCE_SECONDS, Process, say, until, until_is
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server

COUNT = 200
STOLEN = 20


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A deployment with subscriptions that are all due."""
    directory = tmp_path_factory.mktemp("data")
    with postgres_server(durable=False) as postgres, ministack_server() as sqs:
        settings = AWS_TEST_ENVIRONMENT | {
            "CONVEYOR_DATABASE_URL": postgres.fresh_database(),
            "CONVEYOR_QUEUE_URL": f"sqs://eu-west-1/renew-?endpoint_url={sqs.endpoint_url}",
            "CONVEYOR_DATA": str(directory),
            "CONVEYOR_RENEWAL_SCAN_SECONDS": "0",
            "CONVEYOR_VISIBILITY_SECONDS": "10",
            # A no is only believed once the killed worker's call can do nothing any more.
            "CONVEYOR_CALL_TIMEOUT_SECONDS": "2",
        }
        say("migrate", **settings)
        say("queues", "provision", **settings)
        say("plans", "set", "monthly", 999, "USD", **settings)
        cards = ["card_stolen"] * STOLEN + ["card_ok"] * (COUNT - STOLEN)
        lines = (f"s-{number},c-{number},monthly,{card}" for number, card in enumerate(cards))
        file = directory / "subscriptions.csv"
        file.write_text("\n".join(["id,customer,plan,card", *lines]))
        assert say("subscriptions", "import", file, "--json", **settings).json()["added"] == COUNT
        yield settings


def test_every_one_is_charged_once_by_two_scans_of_which_one_is_killed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    def renewals() -> Any:
        return say("renewals", "status", "--json", **environment).json()["renewals"]

    data = {"CONVEYOR_DATA": str(tmp_path)}
    with ExitStack() as stack:
        worker = stack.enter_context(Process("work", "all", "--json", **environment))
        worker.ready()
        killed = stack.enter_context(Process("renewals", "run", **environment))
        other = stack.enter_context(Process("renewals", "run", **environment | data))
        until(lambda: renewals().get("extended", 0) > COUNT // 10)
        for process in (worker, killed):
            process.popen.kill()
        assert other.popen.wait(PATIENCE_SECONDS) == 0
        stack.enter_context(Process("work", "all", "--json", **environment)).ready()
        say("renewals", "run", **environment)
        until_is({"ended": STOLEN, "extended": COUNT - STOLEN}, renewals)
        under_way = ("orders", "list", "--status", "processing", "--json")
        until_is([], lambda: say(*under_way, **environment).json())
    report = say("audit", "--json", **environment).json()
    assert report["clean"], report
    assert report["by_status"] == {"completed": COUNT - STOLEN, "refused": STOLEN}
    books = next(c for c in report["checks"] if c["name"] == "books_equal_provider")
    assert books["figures"]["USD"]["provider"]["captured"] == 999 * (COUNT - STOLEN)
