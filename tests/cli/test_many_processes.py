"""PostgreSQL and SQS: the API, and each service, as processes of their own."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.cli.driver import PATIENCE_SECONDS, Process, bodies, say, write_lines
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server

COUNT = 30
SERVICES = ("orders", "payments", "inventory", "shipping")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Settings of a deployment that has its servers, and nothing set up in them yet."""
    with postgres_server(durable=False) as postgres, ministack_server() as sqs:
        yield AWS_TEST_ENVIRONMENT | {
            "CONVEYOR_DATABASE_URL": postgres.fresh_database(),
            "CONVEYOR_QUEUE_URL": f"sqs://eu-west-1/shop-?endpoint_url={sqs.endpoint_url}",
            "CONVEYOR_DATA": str(tmp_path_factory.mktemp("data")),
        }


def test_a_deployment_says_what_it_lacks(environment: dict[str, str]) -> None:
    too_early = say("work", "all", **environment)
    applied = say("migrate", "--json", **environment).json()["applied"]
    no_queues = say("work", "all", **environment)
    created = say("queues", "provision", "--json", **environment).json()["created"]

    assert (too_early.code, no_queues.code) == (2, 2)
    assert "conveyor migrate" in too_early.err
    assert "conveyor queues provision" in no_queues.err
    assert applied
    assert set(created) >= {*SERVICES, "intake", "intake-dead"}


def test_each_service_is_a_process(environment: dict[str, str], tmp_path: Path) -> None:
    set_up(environment)
    key = say("keys", "create", "--scopes", "place,read,operate,audit", **environment).out.strip()
    file = write_lines(tmp_path / "orders.jsonl", bodies(COUNT))
    with ExitStack() as stack:
        api = stack.enter_context(Process("serve", "--port", 0, "--json", **environment))
        workers = [
            stack.enter_context(Process("work", name, "--json", **environment)) for name in SERVICES
        ]
        assert [worker.ready()["services"] for worker in workers] == [[name] for name in SERVICES]
        served = {"CONVEYOR_SERVER": api.ready()["url"], "CONVEYOR_API_KEY": key}
        say("stock", "set", "CD", 1_000, **served)
        result = say("replay", file, "--json", **served).json()
        audited = say("audit", **served)
        for process in (api, *workers):
            process.popen.send_signal(signal.SIGTERM)
        ends = [process.popen.wait(PATIENCE_SECONDS) for process in (api, *workers)]

    assert result["by_status"] == {"completed": COUNT}
    assert result["captured"] == {"USD": sum(order["total"] for order in bodies(COUNT))}
    assert audited.code == 0, audited.out
    assert ends == [0] * 5


def test_without_a_server_a_replay_runs_everything_itself(
    environment: dict[str, str], tmp_path: Path
) -> None:
    set_up(environment)
    say("stock", "set", "CD", 1_000, **environment)
    file = write_lines(tmp_path / "orders.jsonl", bodies(COUNT + 1))

    result = say("replay", file, "--json", **environment).json()
    audited = say("audit", "--json", **environment).json()

    assert result["placed"] == COUNT + 1
    assert result["by_status"] == {"completed": COUNT + 1}
    assert result["sqs_requests_per_order"] > 0
    assert audited["clean"] is True


def set_up(environment: dict[str, str]) -> None:
    """Migrate and provision; harmless when that is done already."""
    assert say("migrate", **environment).code == 0
    assert say("queues", "provision", **environment).code == 0
