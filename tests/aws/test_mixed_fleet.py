"""Functions and workers side by side, on the same queues."""

from __future__ import annotations

import pytest
from tests.aws.conftest import Deploy
from tests.cli.driver import Process

pytestmark = pytest.mark.timeout(300)  # each starts half a dozen processes, cold


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
