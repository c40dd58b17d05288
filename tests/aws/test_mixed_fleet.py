"""Functions and workers side by side, and services that move between them under load."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.aws.conftest import Deploy
from tests.aws.deployment import SHOP, Deployment, until
from tests.aws.runtime import Function
from tests.cli.driver import Process

pytestmark = pytest.mark.timeout(300)  # each starts half a dozen processes, cold

SHORT = {"CONVEYOR_CALL_TIMEOUT_SECONDS": "2", "CONVEYOR_VISIBILITY_SECONDS": "15"}
MOST_OPEN = 20
SERVICES = ("orders", "payments", "inventory", "shipping")


@contextmanager
def orders_coming(deployment: Deployment) -> Iterator[list[str]]:
    """Place orders one after the other meanwhile; gives those that were answered."""
    placed: list[str] = []
    over = threading.Event()
    api = deployment.function("api")

    def place() -> None:
        while not over.is_set():
            placed.append(deployment.place(api))
            while len(placed) - deployment.statuses()["completed"] > MOST_OPEN:
                if over.wait(0.2):
                    return

    thread = threading.Thread(target=place, daemon=True)
    thread.start()
    try:
        yield placed
    finally:
        over.set()
        thread.join()


def more_completed(deployment: Deployment, by: int, tick: Function) -> None:
    """Wait until so many more orders are completed, with what goes by the clock done meanwhile."""
    wanted = deployment.statuses()["completed"] + by
    until(lambda: deployment.statuses()["completed"] >= wanted, meanwhile=lambda: tick.invoke({}))


def test_services_may_be_functions_or_workers(deploy: Deploy) -> None:
    deployment = deploy()
    api = deployment.function("api")
    deployment.feed(deployment.function("queue"), "intake", "orders", "inventory", "payments")
    with Process("work", "shipping", "payments", "--json", **deployment.environment) as worker:
        worker.ready()
        for _ in range(10):
            deployment.place(api)
        deployment.settle(completed=10)
    assert not deployment.trouble()


@pytest.mark.soak
def test_services_move_to_functions_and_back_under_load(deploy: Deploy) -> None:
    deployment = deploy(**SHORT)
    queue, tick = deployment.function("queue"), deployment.tick()
    with orders_coming(deployment) as placed:
        with Process("work", *SERVICES, "--json", **deployment.environment) as worker:
            worker.ready()
            more_completed(deployment, 5, tick)
            sources = deployment.feed(queue, *SHOP)  # now both take from the same queues
            more_completed(deployment, 5, tick)
            worker.popen.kill()
        more_completed(deployment, 5, tick)
        queue.is_busy.wait()
        queue.kill()
        more_completed(deployment, 5, tick)
        with Process("work", *SERVICES, "--json", **deployment.environment) as worker:
            worker.ready()
            for source in sources:
                source.end()
            more_completed(deployment, 5, tick)
    with Process("work", *SERVICES, "--json", **deployment.environment):
        deployment.settle(completed=len(placed))
