"""Every route times wrong scope, subject and merchant: one table, from the OpenAPI document.

Each operation declares there which scopes open it, so a route that is added is held to this too.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any

import pytest
from starlette.routing import Mount, Route
from tests.api.food import Town
from tests.api.operations import NOTHING, Operation, operations_of
from tests.api.serving import MERCHANT, Server, order_of, paid_by, place, stock_up, wait_for

from conveyor.access import store as keys
from conveyor.access.model import (
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
from conveyor.entrypoints.http.application import create_http

SUBJECTS = frozenset({RESTAURANT, RIDER})
"""Scopes whose keys may speak for one restaurant or rider alone: the `name` of the path."""
# Open to everybody: they say nothing of any order, or are signed.
OPEN = {
    "POST /v1/webhooks/carrier",
    "GET /",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
}
# Who may: readers and operators look, operators change, and what is not so stands here.
LOOKING, CHANGING = {READ, OPERATE}, {OPERATE}
UNLIKE = {
    "GET /v1/operators/log": {"operate"},
    "GET /v1/overview": {OPERATE},
    "GET /v1/services": {OPERATE},
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
# Routes that are none of the API's: its document, its page and the page's files, and the console.
PAGES = {"/openapi.json", "/docs", "/docs/assets", "/console", "/console/{page:path}"}
# What an answer of the same merchant may say otherwise a moment later, and the stream that waits.
RESTLESS = {
    "GET /v1/summary",
    "GET /v1/audit",
    "GET /v1/overview",
    "GET /v1/orders/{order_id}/events",
}
_number = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A system of its own: others do not want to be paused, or find what is made here."""
    with Server(tmp_path_factory.mktemp("routes")) as running:
        yield running


@pytest.fixture(scope="module")
def operations(server: Server) -> list[Operation]:
    return operations_of(server)


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


def test_no_route_is_beside_the_document(server: Server, operations: list[Operation]) -> None:
    """All that answers is an operation, but for the document with its page, and the console."""
    routes = [one for one in server.http.state.routes if one.include_in_schema]
    names = {f"{method} {one.path_format}" for one in routes for method in one.methods}
    assert names == {operation.name for operation in operations}
    hidden = {one.path for one in server.http.state.routes} - {one.path for one in routes}
    others = {one.path for one in server.http.routes if isinstance(one, Route | Mount)}
    assert hidden | (others - {one.path for one in routes}) == PAGES


def test_a_new_route_that_does_not_say_who_may_is_found(server: Server) -> None:
    http = create_http(server.app)

    @http.get("/v1/new")
    async def show_new() -> None:
        """Show to everybody."""

    operation = Operation("GET", "/v1/new", http.openapi()["paths"]["/v1/new"]["get"])
    assert operation.scopes != expected_scopes(operation)


def test_no_operation_opens_without_one_of_its_scopes(
    server: Server, operations: list[Operation]
) -> None:
    clients = {scope: server.client_of(MERCHANT, [scope]) for scope in SCOPES}
    for operation in operations:
        closed = operation.scopes
        for scope, client in clients.items():
            answer = operation.call(client, NOTHING)
            forbidden = bool(closed) and scope not in closed
            lacks = answer.status_code == 403 and "lacks the scope" in answer.text
            assert lacks == forbidden, (operation.name, scope, answer.text)
            assert answer.status_code < 500, (operation.name, scope, answer.text)


@pytest.mark.parametrize("credential", ["none", "unknown", "malformed", "revoked", "expired"])
def test_no_operation_opens_to_what_is_no_key_or_no_longer(
    server: Server, operations: list[Operation], credential: str
) -> None:
    client = server.client(_text_of(server, credential))
    for operation in operations:
        answer = operation.call(client, NOTHING)
        closed = answer.status_code == 401 and answer.json()["code"] == "unauthenticated"
        assert closed == bool(operation.scopes), (operation.name, answer.text)


def _text_of(server: Server, credential: str) -> str:
    """Give the text of a key that opens nothing, though it has every scope."""
    match credential:
        case "revoked":
            made = server.client().post("/v1/keys", json={"scopes": sorted(SCOPES)}).json()
            assert server.client().delete(f"/v1/keys/{made['id']}").status_code == 204
            return str(made["key"])
        case "expired":
            now, database = server.app.engine.now(), server.app.engine.database
            make = partial(
                keys.create,
                token=secrets.token_bytes,
                merchant=MERCHANT,
                scopes=SCOPES,
                label="",
                now=now,
                expires_at=now.ms - 1,
            )
            return server.run(database.run(make))[1]
        case "unknown":
            return server.local_key[:-1] + ("0" if server.local_key[-1] != "0" else "1")
        case _:
            return {"none": "", "malformed": "cvy_"}[credential]


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
