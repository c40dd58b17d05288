"""Services that are paused, and the overview, by HTTP on SQLite; on PostgreSQL: `test_postgres`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.api.pausing import (
    WHY,
    check_pausing,
    check_who_may_pause,
    kinds_of,
    overview,
    queue,
    service,
)
from tests.api.serving import Server, order_of, paid_by, place, stock_up, wait_for
from tests.servers.waiting import wait_until


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A system of its own: others do not want to be paused."""
    with Server(tmp_path_factory.mktemp("paused")) as running:
        stock_up(running.client())
        yield running


def test_a_service_is_paused_and_goes_on(own: Server) -> None:
    check_pausing(own.client())


def test_who_may_pause_and_what(own: Server) -> None:
    check_who_may_pause(own.client(), own.client_of("somebody", ["operate"]))


def test_it_holds_over_a_restart(tmp_path: Path) -> None:
    with Server(tmp_path) as first:
        client = first.client()
        stock_up(client)
        client.post("/v1/services/payments/pause", json=WHY).raise_for_status()
        order_id = place(client, order_of())
    with Server(tmp_path) as second:
        client = second.client()
        assert service(client, "payments")["paused"]["why"] == WHY["reason"]
        other = place(client, order_of(reference="another"))
        seen = wait_until(
            lambda: overview(client), lambda it: queue(it, "payments")["depth"]["visible"] == 2
        )
        assert queue(seen, "payments")["depth"]["in_flight"] == 0
        client.post("/v1/services/payments/resume").raise_for_status()
        for it in (order_id, other):
            wait_for(client, it, "completed")


def test_a_merchant_is_told_of_its_own_orders_alone(own: Server) -> None:
    mine, other = (own.client_of(name, ["place", "read", "operate"]) for name in ("mine", "other"))
    for client in (mine, other):
        order_id = place(client, paid_by("card_down", reference="parked"))
        wait_for(client, order_id, "parked")
    seen = wait_until(lambda: overview(mine), lambda it: it["parked"] == 1)
    assert kinds_of(seen) == {"shop@1": "parked"}
    assert seen["needs"][0]["says"] == "1 of its orders are parked"
    assert seen["open"] == 0
    assert overview(own.client())["parked"] >= 2


def test_processes_and_queues_are_told_to_who_runs_the_system(own: Server) -> None:
    seen = wait_until(lambda: overview(own.client()), lambda it: bool(it["workers"]))
    [worker] = seen["workers"]
    assert worker["alive"] is True
    assert {"api", "payments"} <= set(worker["services"])
    assert {"orders", "payments", "shipping"} <= {it["name"] for it in seen["queues"]}
    assert all(it["depth"] is not None for it in seen["queues"])


def test_who_lacks_the_scope_is_turned_away(start: Callable[..., Server]) -> None:
    client = start().client_of("default", ["place", "read"])
    for path in ("/v1/overview", "/v1/services"):
        assert client.get(path).status_code == 403
