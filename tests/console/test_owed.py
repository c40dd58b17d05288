"""What is owed is listed: to whom, how much, since when, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from tests.api.serving import Server, place, wait_for
from tests.console.night import owner, parcel, put_right, server

__all__ = ["owner", "server"]

Visit = Callable[[], httpx.Client]


@pytest.fixture
def visitor(server: Server, owner: httpx.Client, visit: Visit) -> httpx.Client:
    """Somebody of that merchant who has signed in."""
    looks = visit()
    looks.base_url = httpx.URL(server.url)
    key = owner.post("/v1/keys", json={"scopes": ["operate"]}).json()["key"]
    assert looks.post("/console/sign-in", data={"key": key}).status_code == 303
    return looks


def test_of_who_owes_nothing_nothing_is_listed(owner: httpx.Client, visitor: httpx.Client) -> None:
    assert "Nothing is owed" in visitor.get("/console/owed").text
    wait_for(owner, place(owner, parcel("fine", 1)), "completed")
    assert "Nothing is owed" in visitor.get("/console/owed").text
    for path in ("/console/owed?debt=nothing", "/console/owed?after=x"):
        assert visitor.get(path).status_code == 404


def test_what_is_paid_and_stands_still_is_owed(owner: httpx.Client, visitor: httpx.Client) -> None:
    order = place(owner, parcel("after", 1))
    wait_for(owner, order, "parked")
    text = visitor.get("/console/owed").text
    assert order in text
    assert "paid, and not at its end" in text
    assert "an operator&#39;s decision" in text
    assert "USD 23.54" in text
    with put_right("after"):
        assert owner.post(f"/v1/dead-letters/{order}/redrive").status_code == 202
        wait_for(owner, order, "completed")
    assert order not in visitor.get("/console/owed").text


def test_what_cannot_be_given_back_yet_is_owed(owner: httpx.Client, visitor: httpx.Client) -> None:
    order = place(owner, parcel("undo", 1))
    wait_for(owner, order, "parked")
    because = {"reason": "a test"}
    owner.post(f"/v1/dead-letters/{order}/compensate", json=because).raise_for_status()
    wait_for(owner, order, "parked")
    text = visitor.get("/console/owed?debt=refund").text
    assert order in text
    assert "to give back" in text
    assert "the label sticks" in text
    with put_right("undo"):
        owner.post(f"/v1/dead-letters/{order}/redrive").raise_for_status()
        wait_for(owner, order, "cancelled")
    assert "Nothing is owed" in visitor.get("/console/owed").text


def test_a_merchant_sees_what_is_owed_of_its_own(server: Server, visitor: httpx.Client) -> None:
    theirs = server.client_of("theirs")
    order = place(theirs, parcel("after", 2))
    wait_for(theirs, order, "parked")
    assert order not in visitor.get("/console/owed").text
    with put_right("after"):
        theirs.post(f"/v1/dead-letters/{order}/redrive").raise_for_status()
        wait_for(theirs, order, "completed")
