"""A client that others' generator makes of our OpenAPI document, against a real server process."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cli.driver import running
from tests.servers.waiting import wait_until

from conveyor.entrypoints import server_file

PACKAGE = "a_generated_client"
UNIT_PRICE = 1_177
HERE = {"latitude": 52.5, "longitude": 13.4}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Give the URL of a running system, and a key."""
    data = tmp_path_factory.mktemp("data")
    with running(data) as (_, said):
        owner = server_file.find(data)
        assert owner is not None
        yield said["url"], owner.key


@pytest.fixture(scope="module")
def generated(server: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Give the client's package."""
    home = tmp_path_factory.mktemp("generated")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    command += ["--url", f"{server[0]}/openapi.json", "--output-path", str(home / PACKAGE)]
    command += ["--fail-on-warning"]
    # It tidies up what it writes with the `ruff` of its own environment.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=home, env={"PATH": path}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(home))
    yield importlib.import_module(PACKAGE)
    sys.path.remove(str(home))


class Generated:
    """The generated client, by the names that the document gives."""

    def __init__(self, client: Any) -> None:
        self.models: Any = importlib.import_module(f"{PACKAGE}.models")
        self._client = client

    def call(self, tag: str, operation: str, *path: str, **given: Any) -> Any:
        """Call an operation; gives what its answer was read as."""
        module: Any = importlib.import_module(f"{PACKAGE}.api.{tag}.{operation}")
        return module.sync(*path, client=self._client, **given)


@pytest.fixture
def client(server: tuple[str, str], generated: Any) -> Iterator[Generated]:
    with generated.AuthenticatedClient(*server) as connected:
        yield Generated(connected)


def bought(client: Generated) -> dict[str, Any]:
    models = client.models
    address = {"name": "A. Buyer", "line1": "1 Main Street", "city": "Springfield"}
    return {
        "customer": models.Customer(id="00001", email="a@example.com"),
        "currency": "USD",
        "items": [models.Item(sku="CD", quantity=2, unit_price=UNIT_PRICE)],
        "payment": models.Payment(method="card_ok"),
        "shipping": models.Shipping(**address, country="US"),
    }


def goods(client: Generated, **changes: Any) -> Any:
    return client.models.OrderBody(**bought(client) | changes)


def meal(client: Generated) -> Any:
    """Give an order that waits for its restaurant."""
    flow, home = client.models.FoodBodyFlow.FOOD, client.models.Position(**HERE)
    return client.models.FoodBody(**bought(client), flow=flow, restaurant="luigi", drop_off=home)


def follow(client: Generated, order_id: str, *statuses: str) -> Any:
    return wait_until(
        lambda: client.call("orders", "show_order", order_id),
        lambda seen: seen.status in statuses,
    )


def test_it_places_follows_and_cancels_an_order(client: Generated) -> None:
    stocked = client.call("stock", "set_stock", "CD", body=client.models.StockBody(available=10))
    assert stocked.available == 10
    placed = client.call("orders", "place_order", body=goods(client), idempotency_key="one")
    again = client.call("orders", "place_order", body=goods(client), idempotency_key="one")
    assert (again.id, type(again)) == (placed.id, client.models.Placed)
    completed = follow(client, placed.id, "completed")
    assert (completed.total, completed.customer.id) == (2 * UNIT_PRICE, "00001")
    steps = [one.step for one in client.call("orders", "show_timeline", placed.id).entries]
    assert "payments.capture" in steps

    kitchen = client.models.RestaurantBody(**HERE)
    assert client.call("restaurants", "set_restaurant", "luigi", body=kitchen).is_open
    ordered = client.call("orders", "place_order", body=meal(client))
    assert follow(client, ordered.id, "awaiting").step == "restaurants.confirm"
    cancelled = client.call("orders", "cancel_order", ordered.id)
    assert cancelled.outcome is client.models.CancelAnswerOutcome.VOID
    follow(client, ordered.id, "cancelled")


def test_it_reads_a_problem_as_one_of_the_codes(client: Generated) -> None:
    codes = client.models.Code
    unknown = client.call("orders", "show_order", "01KDVXQG0053EJ2M8Q4N7T6WAB")
    assert unknown.code is codes.NOT_FOUND
    problem = client.call("orders", "place_order", body=goods(client, total=1))
    assert (problem.code, problem.errors[0].field) == (codes.INVALID, "total")


def test_the_bodies_are_told_apart_by_their_flow(server: tuple[str, str]) -> None:
    document = httpx.get(f"{server[0]}/openapi.json").json()
    body = document["paths"]["/v1/orders"]["post"]["requestBody"]["content"]["application/json"]
    told = body["schema"]["discriminator"]
    assert told["propertyName"] == "flow"
    assert set(told["mapping"]) == {"shop", "food", "travel", "renewal"}
    assert {one["$ref"] for one in body["schema"]["oneOf"]} == set(told["mapping"].values())
