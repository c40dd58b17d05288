"""PostgreSQL and SQS: the API, and each service, as processes of their own."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import PATIENCE_SECONDS, Process, bodies, say, say_apart, until, write_lines
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server
from tests.servers.waiting import wait_until

COUNT = 30
# What a killed process was given comes again soon.
QUICK = {"CONVEYOR_VISIBILITY_SECONDS": "10"}
NAMED = re.compile(r"Process (\d+) of 2 \(pid (\d+)\)")
Deploy = Callable[[str], dict[str, str]]
SERVICES = ("orders", "payments", "inventory", "shipping")


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deploy]:
    """Gives settings of a deployment that has its servers, and nothing set up in them yet."""
    with postgres_server(durable=False) as postgres, ministack_server() as sqs:
        yield (
            lambda prefix: (
                AWS_TEST_ENVIRONMENT
                | QUICK
                | {
                    "CONVEYOR_DATABASE_URL": postgres.fresh_database(),
                    "CONVEYOR_QUEUE_URL": f"sqs://eu-west-1/{prefix}-?endpoint_url={sqs.endpoint_url}",
                    "CONVEYOR_DATA": str(tmp_path_factory.mktemp("data")),
                }
            )
        )


@pytest.fixture(scope="module")
def environment(deploy: Deploy) -> dict[str, str]:
    """Settings of the one deployment of those tests that leave it as it was; see `set_up`."""
    return deploy("shop")


def test_a_deployment_says_what_it_lacks(deploy: Deploy) -> None:
    environment = deploy("new")
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


def test_processes_under_a_parent_share_the_work_and_are_started_again(
    environment: dict[str, str], tmp_path: Path
) -> None:
    set_up(environment)
    key = say("keys", "create", "--scopes", "place,read,operate,audit", **environment).out.strip()
    both = ("--processes", 2, "--json")
    with ExitStack() as stack:
        api = stack.enter_context(Process("serve", "--port", 0, *both, **environment))
        workers = stack.enter_context(Process("work", "all", *both, **environment))
        served = {"CONVEYOR_SERVER": api.ready()["url"], "CONVEYOR_API_KEY": key}
        assert workers.ready()["processes"] == 2
        first, second = sorted(told(workers, "is ready") for _ in range(2))
        say("stock", "set", "CD", 1_000, **served)
        results = [replay(tmp_path, served, COUNT + 2)]
        os.kill(first[1], signal.SIGKILL)
        died, again = told(workers, "ended with -9"), told(workers, "is ready")
        results.append(replay(tmp_path, served, COUNT + 3))
        audited = say("audit", **served)
        stopped = [process.stop() for process in (api, workers)]

    assert died == first
    assert (again[0], again[1] == first[1]) == (first[0], False)
    assert results == [{"completed": COUNT + 2}, {"completed": COUNT + 3}]
    assert audited.code == 0, audited.out
    assert [said.code for said in stopped] == [0, 0], stopped
    assert stopped[1].err.count("has stopped") == 2
    assert not any(map(is_alive, (second[1], again[1])))


def test_processes_stop_by_themselves_when_their_parent_dies(environment: dict[str, str]) -> None:
    set_up(environment)
    of_two = ("--processes", 2, "--json")
    with Process("work", "inventory", *of_two, **environment) as workers:
        workers.ready()
        pids = [told(workers, "is ready")[1] for _ in range(2)]
        workers.popen.kill()
        until(lambda: not any(map(is_alive, pids)))


def test_processes_that_cannot_begin_are_not_started_again(environment: dict[str, str]) -> None:
    set_up(environment)
    elsewhere = environment["CONVEYOR_QUEUE_URL"].replace("/shop-", "/nothing-")
    said = say_apart(
        *("work", "all", "--processes", 2), **environment | {"CONVEYOR_QUEUE_URL": elsewhere}
    )
    assert said.code == 2
    assert "conveyor queues provision" in said.err
    assert "before it was ready" in said.err


def told(process: Process, what: str) -> tuple[int, int]:
    """Give the number and the pid of the next process of which the parent tells this."""
    assert process.popen.stderr is not None
    for line in process.popen.stderr:
        if what in line and (named := NAMED.match(line)):
            return int(named[1]), int(named[2])
    raise AssertionError(f"nobody {what}")


def is_alive(pid: int) -> bool:
    """Say whether there is such a process, and it has not ended."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def replay(home: Path, served: dict[str, str], count: int) -> Any:
    """Place so many orders, and give how many of them ended how."""
    file = write_lines(home / f"{count}.jsonl", bodies(count))
    return say("replay", file, "--json", **served).json()["by_status"]


def until_it_says(process: Process, words: str) -> None:
    """Read its log up to a line that has these words."""
    assert process.popen.stderr
    assert any(words in line for line in process.popen.stderr), words


def waits_for_the_strike(waits_for: Any) -> bool:
    return waits_for is not None and "a strike" in waits_for["what"]


def test_a_worker_keeps_to_it_that_a_service_is_paused(environment: dict[str, str]) -> None:
    set_up(environment)
    key = say("keys", "create", "--scopes", "place,read,operate,audit", **environment).out.strip()
    with ExitStack() as stack:
        serve, work = (
            stack.enter_context(Process(*arguments, "--json", **environment))
            for arguments in (("serve", "--port", 0), ("work", "all"))
        )
        served = {"CONVEYOR_SERVER": serve.ready()["url"], "CONVEYOR_API_KEY": key}
        assert work.ready()["services"]
        say("stock", "set", "CD", 1_000, **served)

        def place() -> str:
            return say("place", "-", stdin=json.dumps(bodies(1)[0]), **served).out.strip()

        def told(order: str) -> Any:
            return say("explain", order, "--json", **served).json()

        def shipping() -> Any:
            status = json.loads(say("status", "--json", **served).out)
            [queue] = [it for it in status["queues"] if it["name"] == "shipping"]
            return queue["depth"]

        def pause() -> None:
            assert say("services", "pause", "shipping", "--because", "a strike", **served).code == 0
            until_it_says(work, "shipping is paused")

        pause()
        order = place()
        # Its message may have a neighbour: what a test before had sent twice, and nobody took.
        wait_until(lambda: told(order)["waits_for"], waits_for_the_strike, PATIENCE_SECONDS)
        wait_until(shipping, lambda it: it["visible"] >= 1, PATIENCE_SECONDS)

        assert say("services", "resume", "shipping", **served).code == 0
        until_it_says(work, "shipping goes on")
        until(lambda: told(order)["order"]["status"] == "completed")
        assert not {it["event"] for it in told(order)["events"]} & {"fault", "resent", "parked"}

        # Its long poll is ended anew: SQS gives nothing to who has stopped asking.
        pause()
        second = place()
        wait_until(lambda: told(second)["waits_for"], waits_for_the_strike, PATIENCE_SECONDS)
        wait_until(shipping, lambda it: it["visible"] >= 1, PATIENCE_SECONDS)
        assert say("services", "resume", "shipping", **served).code == 0
        until(lambda: told(second)["order"]["status"] == "completed")
        assert work.stop().code == 0


def set_up(environment: dict[str, str]) -> None:
    """Migrate and provision; harmless when that is done already."""
    assert say("migrate", **environment).code == 0
    assert say("queues", "provision", **environment).code == 0
