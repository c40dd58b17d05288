"""API keys: who may do what, for which merchant."""

from __future__ import annotations

import sqlite3
from typing import Any

import httpx
import pytest
from tests.api.serving import Server, fields_of, order_of, problem_of
from tests.servers.waiting import wait_until

from conveyor.access.model import SCOPES

SOME_ORDER = "/v1/orders/01KDVXQG0053EJ2M8Q4N7T6WAB"
# What each scope opens: method, path, and the scopes of which one is needed.
DOORS = [
    ("POST", "/v1/orders", {"place"}),
    ("POST", "/v1/intake", {"place"}),
    ("GET", "/v1/orders", {"read", "operate"}),
    ("GET", SOME_ORDER, {"read", "operate"}),
    ("GET", f"{SOME_ORDER}/timeline", {"read", "operate"}),
    ("GET", f"{SOME_ORDER}/explain", {"read", "operate"}),
    ("POST", f"{SOME_ORDER}/cancel", {"place", "operate"}),
    ("GET", "/v1/stock", {"read", "operate"}),
    ("PUT", "/v1/stock/CD", {"operate"}),
    ("POST", "/v1/stock/import", {"operate"}),
    ("GET", "/v1/summary", {"read", "operate"}),
    ("GET", "/v1/audit", {"audit"}),
    ("GET", "/v1/dead-letters", {"operate"}),
    ("GET", "/v1/dead-letters/a", {"operate"}),
    ("POST", "/v1/dead-letters/a/redrive", {"operate"}),
    ("POST", "/v1/dead-letters/a/compensate", {"operate"}),
    ("POST", "/v1/dead-letters/a/discard", {"operate"}),
    ("GET", "/v1/keys", {"keys"}),
    ("POST", "/v1/keys", {"keys"}),
    ("DELETE", "/v1/keys/a", {"keys"}),
]


@pytest.fixture(scope="session")
def clients(server: Server) -> dict[str, httpx.Client]:
    """A client for each scope alone."""
    return {scope: server.client_of("default", [scope]) for scope in SCOPES}


@pytest.mark.parametrize(("method", "path", "scopes"), DOORS)
def test_every_door_opens_for_its_scopes_alone(
    server: Server, clients: dict[str, httpx.Client], method: str, path: str, scopes: set[str]
) -> None:
    for scope, client in clients.items():
        answer = client.request(method, path)
        assert (answer.status_code != 403) == (scope in scopes), answer.text
        assert answer.status_code < 500
    problem = problem_of(server.client("").request(method, path), 401)
    assert problem["code"] == "unauthenticated"


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer nonsense",
        "Bearer cvy_aaaaaaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "Basic abc",
        "Bearer caf\xe9",
        "Bearer " + "a" * 10_000,
    ],
)
def test_what_is_no_key_opens_nothing(server: Server, authorization: str) -> None:
    headers = {b"authorization": authorization.encode("latin-1")}
    answer = server.client("").get("/v1/orders", headers=headers)
    problem_of(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_secret_of_another_key_opens_nothing(server: Server) -> None:
    one, other = (_new_key(server.client(), ["read"])["key"] for _ in range(2))
    mixed = "_".join([*one.split("_")[:2], other.split("_")[2]])
    problem_of(server.client(mixed).get("/v1/orders"), 401)


def test_a_new_key_works_and_a_revoked_one_no_longer(server: Server) -> None:
    operator = server.client_of("default")
    key = _new_key(operator, ["read"], label="a dashboard")
    client = server.client(key["key"])
    assert client.get("/v1/orders").status_code == 200
    assert operator.delete(f"/v1/keys/{key['id']}").status_code == 204
    problem_of(client.get("/v1/orders"), 401)
    listed = {one["id"]: one for one in operator.get("/v1/keys").json()["keys"]}[key["id"]]
    assert listed["label"] == "a dashboard"
    assert listed["revoked_at"] is not None
    assert "key" not in listed


def test_the_text_of_a_key_is_stored_nowhere(server: Server) -> None:
    key = _new_key(server.client(), ["read"])["key"]
    path = server.app.settings.database_path
    assert path is not None
    secret = key.rpartition("_")[2]
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert key.split("_")[1] in dump
    assert secret not in dump


def test_keys_belong_to_their_merchant(server: Server) -> None:
    ours, theirs = server.client_of("ours"), server.client_of("theirs")
    key = _new_key(theirs, ["read"])
    assert key["id"] not in {one["id"] for one in ours.get("/v1/keys").json()["keys"]}
    problem_of(ours.delete(f"/v1/keys/{key['id']}"), 404)
    body = {"scopes": ["read"], "merchant": "theirs"}
    problem_of(ours.post("/v1/keys", json=body), 403)
    assert server.client(key["key"]).get("/v1/orders").status_code == 200


def test_who_owns_the_data_makes_keys_for_any_merchant(server: Server) -> None:
    key = _new_key(server.client(), ["place", "read"], merchant="anybody")
    assert key["merchant"] == "anybody"
    client = server.client(key["key"])
    assert client.post("/v1/orders", json=order_of()).status_code == 202
    assert len(client.get("/v1/orders").json()["orders"]) == 1


def test_a_key_makes_none_that_opens_more_than_it_does(server: Server) -> None:
    owner = server.client()
    maker = server.client(_new_key(owner, ["keys", "read"], expires_in_days=2)["key"])
    problem = problem_of(maker.post("/v1/keys", json={"scopes": ["read", "operate"]}), 403)
    assert "operate" in problem["detail"]
    made = _new_key(maker, ["read"], expires_in_days=30)
    [own] = [key for key in maker.get("/v1/keys").json()["keys"] if key["scopes"] != ["read"]][-1:]
    assert made["expires_at"] == own["expires_at"]
    one = server.client(_new_key(owner, ["keys", "rider"], subject="ann")["key"])
    for subject in (None, "bob"):
        body = {"scopes": ["rider"], "subject": subject}
        assert "subject" in problem_of(one.post("/v1/keys", json=body), 403)["detail"]
    assert _new_key(one, ["rider"], subject="ann")["subject"] == "ann"


def test_a_key_ends_on_its_day(server: Server) -> None:
    key = _new_key(server.client(), ["read"], expires_in_days=1)
    client = server.client(key["key"])
    assert client.get("/v1/orders").status_code == 200
    path = server.app.settings.database_path
    assert path is not None
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE api_keys SET expires_at = created_at WHERE id = ?", [key["id"]])
    connection.close()
    wait_until(lambda: client.get("/v1/orders").status_code, lambda code: code == 401)


def test_a_key_shows_when_it_was_last_used(server: Server) -> None:
    keeper = server.client_of("last-use")
    key = _new_key(keeper, ["read"])
    assert key["last_used_at"] is None
    server.client(key["key"]).get("/v1/orders").raise_for_status()
    [listed] = [one for one in keeper.get("/v1/keys").json()["keys"] if one["id"] == key["id"]]
    assert listed["last_used_at"] >= listed["created_at"]


def test_who_changed_what_is_in_a_log_of_its_own(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "conveyor.actions")
    keeper = server.client_of("acting")
    key = _new_key(keeper, ["operate"], label="night shift")
    night = server.client(key["key"])
    night.put("/v1/stock/CD", json={"available": 3}).raise_for_status()
    night.get("/v1/stock").raise_for_status()
    problem_of(night.post("/v1/keys", json={"scopes": ["read"]}), 403)
    problem_of(server.client("cvy_nonsense").get("/v1/orders"), 401)
    said = [record.getMessage() for record in caplog.records if record.name == "conveyor.actions"]
    who = f"night shift (key {key['id']}) of acting from 127.0.0.1"
    assert f"PUT /v1/stock/CD by {who}: 200" in said
    assert f"POST /v1/keys by {who}: 403" in said
    assert "GET /v1/orders by nobody known from 127.0.0.1: 401" in said
    assert not [line for line in said if line.startswith(f"GET /v1/stock by {who}")]
    assert not [line for line in said if key["key"].rpartition("_")[2] in line]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["all"]}, "scopes.0"),
        ({"scopes": ["read"] * 4}, "scopes"),
        ({"scopes": ["read"], "label": "\x00"}, "label"),
        ({"scopes": ["read"], "merchant": ""}, "merchant"),
        ({"scopes": ["read"], "expires_in_days": 0}, "expires_in_days"),
        ({}, "scopes"),
    ],
)
def test_a_wrong_field_of_a_key_is_named(client: httpx.Client, body: Any, field: str) -> None:
    assert fields_of(client.post("/v1/keys", json=body)) == {field}


def _new_key(client: httpx.Client, scopes: list[str], **others: Any) -> Any:
    answer = client.post("/v1/keys", json={"scopes": scopes, **others})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_no_key_revokes_one_that_opens_more(server: Server) -> None:
    wide, narrow = server.client_of("acme"), server.client_of("acme", ["keys", "restaurant"])
    made = narrow.post("/v1/keys", json={"scopes": ["restaurant"], "subject": "r1"}).json()
    placing = wide.post("/v1/keys", json={"scopes": ["place"]}).json()

    assert problem_of(narrow.delete(f"/v1/keys/{placing['id']}"), 403)["code"] == "forbidden"
    assert narrow.delete(f"/v1/keys/{made['id']}").status_code == 204
    assert wide.delete(f"/v1/keys/{placing['id']}").status_code == 204
