"""A completed order is refunded from a page and a shell, which say first what that comes to."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from tests.api.serving import Server, place, problem_of, wait_for
from tests.cli.driver import say
from tests.console.night import owner, parcel, server

__all__ = ["owner", "server"]

Visit = Callable[[], httpx.Client]
TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
DOES = "runs payments.refund, gives all of its USD 23.54 back, and undoes nothing else"
WHY = "arrived broken"


@pytest.fixture
def desk(server: Server, owner: httpx.Client, visit: Visit) -> httpx.Client:
    """Somebody of that merchant who has signed in."""
    visitor = visit()
    visitor.base_url = httpx.URL(server.url)
    key = owner.post("/v1/keys", json={"scopes": ["operate"]}).json()["key"]
    assert visitor.post("/console/sign-in", data={"key": key}).status_code == 303
    return visitor


def completed(owner: httpx.Client) -> str:
    order = place(owner, parcel("fine", 1))
    wait_for(owner, order, "completed")
    return order


def test_a_page_says_what_it_does_and_asks(owner: httpx.Client, desk: httpx.Client) -> None:
    order = completed(owner)
    page = desk.get(f"/console/orders/{order}").text
    assert "Refund…" in page
    assert "It is at its end" in page
    asked = desk.get(f"/console/orders/{order}/refund").text
    assert f"This {DOES}." in asked
    path = f"/console/orders/{order}/refund"
    sent = {"token": TOKEN.findall(asked)[-1], "does": DOES, "reason": ""}
    assert "is needed" in desk.post(path, data=sent).text
    assert owner.get(f"/v1/orders/{order}").json()["status"] == "completed"
    made = desk.post(path, data={**sent, "reason": WHY})
    assert made.headers["location"] == f"/console/orders/{order}?did=refund"
    wait_for(owner, order, "refunded")
    page = desk.get(made.headers["location"]).text
    assert "Its money is given back." in page
    assert "refunded: its money was given back, and everything else stays" in page
    assert "Refund…" not in page
    again = desk.post(path, data={**sent, "reason": WHY})
    assert again.status_code == 409
    assert "not possible any more" in again.text
    [line] = owner.get(f"/v1/operators/log?order={order}").json()["actions"]
    assert (line["action"], line["why"]) == ("orders.refund", WHY)


def test_a_command_does_so_too(server: Server, owner: httpx.Client) -> None:
    environment = {
        "CONVEYOR_SERVER": server.url,
        "CONVEYOR_API_KEY": owner.headers["authorization"].removeprefix("Bearer "),
    }
    order = completed(owner)
    assert say("orders", "refund", order, **environment).code == 2  # it is to be said why
    said = say("orders", "refund", order, "--why", WHY, **environment)
    assert said.code == 0, said.err
    assert said.out.startswith(f"Order {order} is ")
    assert "USD 23.54 in all" in said.out
    wait_for(owner, order, "refunded")
    again = say("orders", "refund", order, "--why", WHY, **environment)
    assert again.out == f"Order {order} is refunded: USD 23.54 in all.\n"
    listed = say("orders", "list", "--status", "refunded", "--json", **environment).json()
    assert [it["id"] for it in listed] == [order]


def test_many_are_refunded_once_that_was_said(server: Server, owner: httpx.Client) -> None:
    environment = {
        "CONVEYOR_SERVER": server.url,
        "CONVEYOR_API_KEY": owner.headers["authorization"].removeprefix("Bearer "),
    }
    orders = {completed(owner), completed(owner)}
    where = ("orders", "refund", "--where", "flow=night", "--why", WHY, "--rate", 1_000)
    dry = say(*where, **environment)
    assert DOES in dry.out
    assert "Nothing was done: --yes does it to 2 orders." in dry.out
    assert "2 of 2 orders refunded." in say(*where, "--yes", **environment).out
    for order in orders:
        wait_for(owner, order, "refunded")
    every = ("orders", "refund", "--where", "status=refunded", "--why", WHY)
    assert "refunded before" in say(*every, **environment).out


def test_a_flow_that_takes_no_money_gives_none_back(owner: httpx.Client) -> None:
    order = place(owner, parcel("fine", 2, flow="line"))
    wait_for(owner, order, "completed")
    refused = problem_of(owner.post(f"/v1/orders/{order}/refund", json={"reason": WHY}), 409)
    assert refused["code"] == "not_refundable"
    assert "line@1, has no step that payments.refund undoes" in refused["detail"]
