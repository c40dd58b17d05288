"""Every route times wrong scope, subject and merchant: one table, from the OpenAPI document.

Each operation declares there which scopes open it, so a route that is added is held to this too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
import pytest
from tests.api.food import Town
from tests.api.serving import MERCHANT, Server, order_of, paid_by, place, stock_up, wait_for

from conveyor.services.access.model import (
    ANSWER,
    AUDIT,
    KEYS,
    OPERATE,
    PLACE,
    READ,
    RESTAURANT,
    RIDER,
    SCOPES,
)

SUBJECTS = frozenset({RESTAURANT, RIDER})
"""Scopes whose keys may speak for one restaurant or rider alone: the `name` of the path."""
# Open to everybody: they say nothing of any order, or are signed.
OPEN = {"POST /v1/webhooks/carrier", "GET /healthz", "GET /readyz", "GET /metrics"}
# Who may: readers and operators look, operators change, and what is not so stands here.
LOOKING, CHANGING = {READ, OPERATE}, {OPERATE}
UNLIKE = {
    "POST /v1/orders": {PLACE},
    "POST /v1/intake": {PLACE},
    "POST /v1/orders/{order_id}/cancel": {PLACE, OPERATE},
    "POST /v1/subscriptions": {PLACE},
    "PUT /v1/subscriptions/{name}/card": {PLACE},
    "PUT /v1/subscriptions/{name}/plan": {PLACE},
    "POST /v1/subscriptions/{name}/cancel": {PLACE},
    "GET /v1/audit": {AUDIT},
    "GET /v1/dead-letters": {OPERATE},
    "GET /v1/dead-letters/{letter_id}": {OPERATE},
    "GET /v1/keys": {KEYS},
    "POST /v1/keys": {KEYS},
    "DELETE /v1/keys/{key_id}": {KEYS},
    "POST /v1/orders/{order_id}/answers/{step}": {OPERATE, ANSWER},
    "PUT /v1/riders/{name}/shift": {RIDER},
    "POST /v1/riders/{name}/position": {RIDER},
    "GET /v1/riders/{name}/offers": {RIDER},
}
OF_SUBJECTS = {"/v1/restaurants/{name}/tickets": RESTAURANT, "/v1/riders/{name}/offers/": RIDER}
NOTHING = {
    "order_id": "01KDVXQG0053EJ2M8Q4N7T6WAB",
    "letter_id": "01KDVXQG0053EJ2M8Q4N7T6WAB",
    "key_id": "a" * 16,
    "name": "nobody",
    "kind": "flight",
    "date": "2026-01-01",
    "step": "refunds.decide",
    "sku": "NOTHING",
    "plan": "nothing",
}
# What an answer of the same merchant may say otherwise a moment later, and the stream that waits.
RESTLESS = {"GET /v1/summary", "GET /v1/audit", "GET /v1/orders/{order_id}/events"}
_number = count()


@dataclass(frozen=True)
class Operation:
    """One of the document's operations."""

    method: str
    path: str
    described: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def scopes(self) -> set[str]:
        """The scopes of which one is needed; none: it is open to everybody."""
        return {scope for need in self.described.get("security", ()) for scope in need["apiKey"]}

    def call(self, client: httpx.Client, names: dict[str, str]) -> httpx.Response:
        """Call it with the body of its example."""
        content = self.described.get("requestBody", {}).get("content", {})
        body = content.get("application/json", {}).get("example")
        path = self.path.format(**names)
        return client.request(self.method, path, **({"json": body} if body is not None else {}))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A system of its own: others do not want to be paused, or find what is made here."""
    with Server(tmp_path_factory.mktemp("routes")) as running:
        yield running


@pytest.fixture(scope="module")
def operations(server: Server) -> list[Operation]:
    document = server.client().get("/openapi.json").json()
    return [
        Operation(method.upper(), path, described)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]


def expected_scopes(operation: Operation) -> set[str]:
    if operation.name in OPEN:
        return set()
    for path, scope in OF_SUBJECTS.items():
        if operation.path.startswith(path):
            return {scope}
    return UNLIKE.get(operation.name, LOOKING if operation.method == "GET" else CHANGING)


def test_each_operation_declares_who_may(operations: list[Operation]) -> None:
    assert len(operations) > 50
    declared = {operation.name: operation.scopes for operation in operations}
    assert declared == {operation.name: expected_scopes(operation) for operation in operations}


def test_no_operation_opens_without_one_of_its_scopes(
    server: Server, operations: list[Operation]
) -> None:
    clients = {scope: server.client_of(MERCHANT, [scope]) for scope in SCOPES}
    nobody = server.client("")
    for operation in operations:
        closed = operation.scopes
        if closed:
            assert operation.call(nobody, NOTHING).status_code == 401, operation.name
        for scope, client in clients.items():
            answer = operation.call(client, NOTHING)
            forbidden = bool(closed) and scope not in closed
            lacks = answer.status_code == 403 and "lacks the scope" in answer.text
            assert lacks == forbidden, (operation.name, scope, answer.text)
            assert answer.status_code < 500, (operation.name, scope, answer.text)


def test_no_key_speaks_for_another_restaurant_or_rider(
    server: Server, operations: list[Operation]
) -> None:
    ours = server.client_of(f"subjects-{next(_number)}")
    of_subjects = [one for one in operations if one.scopes & SUBJECTS]
    assert len(of_subjects) > 10
    for operation in of_subjects:
        assert "{name}" in operation.path, operation.name
        body = {"scopes": sorted(operation.scopes), "subject": "mine"}
        client = server.client(ours.post("/v1/keys", json=body).json()["key"])
        other = operation.call(client, NOTHING | {"name": "other"})
        assert other.status_code == 403, (operation.name, other.text)
        mine = operation.call(client, NOTHING | {"name": "mine"})
        assert mine.status_code not in {401, 403, 422}, (operation.name, mine.text)


class Ours:
    """A merchant with one of everything."""

    def __init__(self, server: Server) -> None:
        self.merchant = f"ours-{next(_number)}"
        self.town = Town(server, self.merchant, "r1")
        self.client = server.client_of(self.merchant, SCOPES)
        stock_up(self.client)
        meal = self.town.order()
        self.town.accept(meal)
        self.parked = place(self.client, paid_by("card_down"))
        self.done = place(self.client, order_of(customer={"id": "the-secret-customer"}))
        wait_for(self.client, self.parked, "parked")
        wait_for(self.client, self.done, "completed")
        self._set("PUT", "/v1/resources/flight/UA1/2026-01-01", {"capacity": 5})
        plan = {"price": 999, "currency": "USD", "months": 1, "trial_days": 30}
        self._set("PUT", "/v1/plans/gold", plan)
        subscription = {"id": "s1", "customer": "the-secret-customer", "plan": "gold"}
        self._set("POST", "/v1/subscriptions", {**subscription, "card": "card_ok"})
        key = self._set("POST", "/v1/keys", {"scopes": ["read"], "label": "the-secret-label"})
        letters = self.client.get("/v1/dead-letters").json()
        self.names = {
            "order_id": meal,
            "letter_id": self.parked,
            "key_id": key["id"],
            "kind": "flight",
            "date": "2026-01-01",
            "step": "riders.assign",
            "sku": "CD",
            "plan": "gold",
        }
        self.secrets = {meal, self.parked, self.done, key["id"]} | {
            "the-secret-customer",
            "the-secret-label",
        }
        assert self.parked in str(letters)

    def names_for(self, path: str) -> dict[str, str]:
        """Give the names by which this operation finds something of ours."""
        whose = {"restaurants": "luigi", "riders": "r1", "subscriptions": "s1", "resources": "UA1"}
        return self.names | {"name": whose.get(path.split("/")[2], "")}

    def look(self, operations: list[Operation]) -> dict[str, str]:
        """Give all that can be seen of it."""
        seen = {}
        for operation in operations:
            if operation.method == "GET" and operation.scopes and operation.name not in RESTLESS:
                answer = operation.call(self.client, self.names_for(operation.path))
                assert answer.status_code == 200, (operation.name, answer.text)
                seen[operation.name] = answer.text
        return seen

    def _set(self, method: str, path: str, body: dict[str, Any]) -> Any:
        answer = self.client.request(method, path, json=body)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()


def test_no_operation_shows_or_changes_what_is_another_merchants(
    server: Server, operations: list[Operation]
) -> None:
    ours = Ours(server)
    before = ours.look(operations)
    assert sum(secret in text for text in before.values() for secret in ours.secrets) > 10
    for operation in operations:
        if operation.name in OPEN:
            continue
        stranger = server.client_of(f"stranger-{next(_number)}", SCOPES)
        answer = operation.call(stranger, ours.names_for(operation.path))
        if "404" in operation.described["responses"]:
            assert answer.status_code == 404, (operation.name, answer.text)
        assert answer.status_code < 500, (operation.name, answer.text)
        told = {secret for secret in ours.secrets if secret in answer.text}
        assert not told, (operation.name, answer.text)
    after = ours.look(operations)
    assert {name for name in before if before[name] != after[name]} == set()
