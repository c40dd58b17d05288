"""Prometheus asks each worker by itself."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.cli.driver import TELLING, Process, bodies, say, write_lines
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server
from tests.servers.process import free_port

COUNT = 20
Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with postgres_server(durable=False) as postgres, ministack_server() as sqs:
        environment = AWS_TEST_ENVIRONMENT | {
            "CONVEYOR_DATABASE_URL": postgres.fresh_database(),
            "CONVEYOR_QUEUE_URL": f"sqs://eu-west-1/shop-?endpoint_url={sqs.endpoint_url}",
            "CONVEYOR_DATA": str(tmp_path_factory.mktemp("data")),
        }
        assert say("migrate", **environment).code == 0
        assert say("queues", "provision", **environment).code == 0
        yield environment


class Told(NamedTuple):
    """What an API and a worker of the same system told, after `COUNT` orders."""

    api: Figures
    worker: Figures
    told_at: str
    health: list[int]


@pytest.fixture(scope="module")
def told(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Told:
    key = say("keys", "create", "--scopes", "place,read,operate", **environment).out.strip()
    file = write_lines(tmp_path_factory.mktemp("told") / "orders.jsonl", bodies(COUNT))
    with ExitStack() as stack:
        serve, work = (
            stack.enter_context(Process(*arguments, "--json", **environment))
            for arguments in (("serve", "--port", 0), ("work", "all", "--metrics-port", 0))
        )
        url, told_at = serve.ready()["url"], work.ready()["metrics"]
        served = {"CONVEYOR_SERVER": url, "CONVEYOR_API_KEY": key}
        say("stock", "set", "CD", 1_000, **served)
        by_status = say("replay", file, "--json", **served).json()["by_status"]
        paths = ("healthz", "readyz", "v1/orders")
        health = [answer(told_at.replace("metrics", path)) for path in paths]
        all_told = Told(figures(f"{url}/metrics"), figures(told_at), told_at, health)
        stopped = work.stop()
    assert by_status == {"completed": COUNT}
    assert stopped.code == 0, stopped.err
    return all_told


def test_a_worker_tells_what_the_api_tells(told: Told) -> None:
    of_all = {name for name, _ in told.api if "http" not in name}

    assert told.told_at.startswith("http://127.0.0.1:")
    assert {name for name, _ in told.worker} >= of_all
    assert total(told.worker, "conveyor_orders", status="completed") == COUNT
    assert told.health == [200, 200, 404]


def test_each_counts_what_it_did_itself(told: Told) -> None:
    handled = {"outcome": "handled", "queue": "payments"}
    authorized = {"flow": "shop@1", "service": "payments", "step": "payments.authorize"}
    answered = {"operation": "payments.authorize", "outcome": "answered"}
    settled = {"flow": "shop@1", "status": "completed", "le": "+Inf"}
    posted = {"method": "POST", "route": "/v1/orders", "status": "202"}

    assert total(told.worker, "conveyor_messages_total", **handled) >= COUNT
    assert total(told.worker, "conveyor_steps_total", outcome="done", **authorized) == COUNT
    assert total(told.worker, "conveyor_step_seconds_count", step="payments.capture") == COUNT
    assert total(told.worker, "conveyor_queue_seconds_count", queue="payments") == COUNT
    assert total(told.worker, "conveyor_call_seconds_count", **answered) == COUNT
    assert total(told.worker, "conveyor_order_seconds_bucket", **settled) == COUNT
    assert total(told.api, "conveyor_http_request_seconds_count", **posted) == COUNT
    assert total(told.api, "conveyor_messages_total") == 0


def test_who_is_alive_is_told_by_both(told: Told) -> None:
    for figures_of_one in (told.api, told.worker):
        for service in ("api", "payments", "orders"):
            assert total(figures_of_one, "conveyor_workers", service=service) == 1


def test_each_process_is_asked_at_a_port_of_its_own(environment: dict[str, str]) -> None:
    first = free_port(in_a_row=2)
    of_two = ("--processes", 2, "--metrics-port", first)
    with Process("work", "inventory", *of_two, "--json", **environment) as workers:
        said = workers.ready()
        told = [figures(f"http://127.0.0.1:{port}/metrics") for port in (first, first + 1)]
        stopped = workers.stop()

    assert said["metrics"].startswith("http://127.0.0.1:")
    assert [total(it, "conveyor_database_up") for it in told] == [1, 1]
    assert stopped.code == 0, stopped.err


def test_processes_cannot_share_a_port(environment: dict[str, str]) -> None:
    for port in (0, 65_535):
        of_two = ("--processes", 2, "--metrics-port", port)
        said = say("work", "all", *of_two, **environment)
        assert said.code == 2
        assert f"--metrics-port {port} leaves none for 2 processes" in said.err


def test_without_a_port_nobody_is_told(environment: dict[str, str]) -> None:
    with Process("work", "inventory", "--json", **environment) as worker:
        assert worker.ready()["metrics"] == ""


def test_who_tells_nobody_loads_nothing_to_tell_it_with(environment: dict[str, str]) -> None:
    with Process("work", "all", "--json", command=TELLING, **environment) as worker:
        worker.ready()
        stopped = worker.stop()

    assert stopped.code == 0, stopped.err
    assert not {"alembic", "fastapi", "jinja2", "starlette", "uvicorn"} & {*stopped.out.split()}


def figures(url: str) -> Figures:
    """Give what is told at a URL, as Prometheus reads it."""
    text = urllib.request.urlopen(url).read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(told: Figures, name: str, **labels: str) -> float:
    """Add up what has this name and these labels."""
    wanted = labels.items()
    return sum(value for (its, has), value in told.items() if its == name and wanted <= has)


def answer(url: str) -> int:
    try:
        status: int = urllib.request.urlopen(url).status
    except urllib.error.HTTPError as error:
        return error.code
    return status
