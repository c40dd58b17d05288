"""The same desk on PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from tests.api.on_each import server_on
from tests.api.serving import NO_TLS, Server, place, wait_for
from tests.console.conftest import OURS
from tests.console.night import SETTINGS, parcel, put_right
from tests.console.test_desk import fields, only_pile, park
from tests.servers.waiting import PATIENCE_SECONDS

SCRIPT = {"hx-request": "true"}


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A system on PostgreSQL."""
    with server_on(request, "postgres", tmp_path_factory.mktemp("desk"), **SETTINGS) as running:
        yield running


@pytest.fixture
def visitor(server: Server) -> Iterator[httpx.Client]:
    """Somebody who has not signed in yet."""
    with httpx.Client(
        base_url=server.url, headers=OURS, timeout=PATIENCE_SECONDS, verify=NO_TLS
    ) as visitor:
        yield visitor


def sign_in(visitor: httpx.Client, key: str) -> httpx.Client:
    assert visitor.post("/console/sign-in", data={"key": key}).status_code == 303
    return visitor


def test_a_pile_is_cleared(server: Server, visitor: httpx.Client) -> None:
    owner = server.client_of("a-pile")
    desk = sign_in(visitor, owner.post("/v1/keys", json={"scopes": ["operate"]}).json()["key"])
    parked = park(owner, "down", 7)
    pile = f"/console/dead-letters/{only_pile(desk)}"
    assert desk.get(pile).text.count("still applicable") == 7
    sent = fields(desk.get(f"{pile}/plan?action=redrive").text) | {"rate": "5"}
    with put_right("down"):
        first = desk.post(f"{pile}/clear", data=sent, headers=SCRIPT).text
        assert fields(first)["done"] == "5"
        last = desk.post(f"{pile}/clear", data=fields(first), headers=SCRIPT).text
        assert re.search(r"Done:\s+7 of 7 orders redriven", last)
        for order in parked:
            wait_for(owner, order, "completed")
    assert "No order is parked" in desk.get("/console/dead-letters").text


def test_what_is_owed_and_what_blocks_is_listed(server: Server, visitor: httpx.Client) -> None:
    owner, desk = server.client(), sign_in(visitor, server.local_key)
    order = place(owner, parcel("after", 1))
    wait_for(owner, order, "parked")
    assert order in desk.get("/console/owed").text
    assert order in desk.get("/console/owed?debt=goods").text
    assert "No parked order holds others back" in desk.get("/console/queues").text
    first = place(owner, parcel("stuck", 1, flow="line"))
    wait_for(owner, first, "parked")
    place(owner, parcel("fine", 1, flow="line"))
    assert first in desk.get("/console/queues").text
