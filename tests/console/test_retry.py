"""An order that waits for its next try has it now: over HTTP, from a page and a shell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from tests.api.serving import Server, place, problem_of, wait_for
from tests.cli.driver import say
from tests.console.night import SETTINGS, owner, parcel, put_right
from tests.servers.memory import directory_in_memory
from tests.servers.waiting import wait_until

__all__ = ["owner"]

Visit = Callable[[], httpx.Client]
TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
DOES = "takes weighing.weigh now, and not only once its rest is over"
LONG = {"max_receives": 5, "backoff_base_seconds": 900.0, "backoff_cap_seconds": 3600.0}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A system in which whoever fails rests for a quarter of an hour."""
    with directory_in_memory() as home, Server(home, **{**SETTINGS, **LONG}) as running:
        yield running


@pytest.fixture
def desk(server: Server, owner: httpx.Client, visit: Visit) -> httpx.Client:
    """Somebody of that merchant who has signed in."""
    visitor = visit()
    visitor.base_url = httpx.URL(server.url)
    key = owner.post("/v1/keys", json={"scopes": ["operate"]}).json()["key"]
    assert visitor.post("/console/sign-in", data={"key": key}).status_code == 303
    return visitor


def resting(client: httpx.Client) -> str:
    """Place an order that fails, and wait until it rests."""
    order = place(client, parcel("down", 1))
    wait_until(lambda: events(client, order), lambda found: "fault" in found)
    return order


def events(client: httpx.Client, order: str) -> list[str]:
    """Give what has happened to an order."""
    entries = client.get(f"/v1/orders/{order}/timeline").json()["entries"]
    return [it["event"] for it in entries]


def choices(client: httpx.Client, order: str) -> dict[str, str]:
    """Give what can be done about an order."""
    told: dict[str, Any] = client.get(f"/v1/orders/{order}/explain").json()
    return {it["what"]: it["does"] for it in told["choices"]}


def test_it_is_tried_at_once_and_goes_on(owner: httpx.Client) -> None:
    order = resting(owner)
    assert choices(owner, order)["retry"] == DOES
    with put_right("down"):
        answer = owner.post(f"/v1/orders/{order}/retry?why=the scales are back")
        assert (answer.status_code, answer.json()) == (202, {"id": order, "status": "processing"})
        wait_for(owner, order, "completed")
    told = owner.get(f"/v1/orders/{order}/explain").json()
    assert told["payment"]["captured"] == told["order"]["total"]
    assert any("let it try weighing.weigh at once" in it for it in told["sentences"])
    [line] = owner.get(f"/v1/operators/log?order={order}").json()["actions"]
    assert (line["action"], line["why"]) == ("orders.retry", "the scales are back")


def test_what_still_fails_rests_again_and_a_try_is_counted(owner: httpx.Client) -> None:
    order = resting(owner)
    for tries in range(2, 6):
        assert owner.post(f"/v1/orders/{order}/retry").status_code == 202
        wait_until(lambda: events(owner, order).count("fault"), tries.__eq__)
    wait_for(owner, order, "parked")
    refused = problem_of(owner.post(f"/v1/orders/{order}/retry"), 409)
    assert refused["code"] == "not_waiting"
    assert "retry" not in choices(owner, order)


def test_what_does_not_wait_is_left_alone(server: Server, owner: httpx.Client) -> None:
    done = place(owner, parcel("fine", 1))
    wait_for(owner, done, "completed")
    assert problem_of(owner.post(f"/v1/orders/{done}/retry"), 409)["code"] == "not_waiting"
    problem_of(owner.post("/v1/orders/01KDVXQG0053EJ2M8Q4N7T6WAB/retry"), 404)
    order = resting(owner)
    problem_of(server.client_of("neighbour").post(f"/v1/orders/{order}/retry"), 404)
    reader = owner.post("/v1/keys", json={"scopes": ["read"]}).json()["key"]
    problem_of(server.client(reader).post(f"/v1/orders/{order}/retry"), 403)


def test_a_page_says_what_it_does_and_asks(owner: httpx.Client, desk: httpx.Client) -> None:
    order = resting(owner)
    page = desk.get(f"/console/orders/{order}").text
    assert "Retry now…" in page
    asked = desk.get(f"/console/orders/{order}/retry").text
    assert f"This {DOES}." in asked
    sent = {"token": TOKEN.findall(asked)[-1], "does": DOES, "reason": "it is mended"}
    path = f"/console/orders/{order}/retry"
    assert desk.post(path, data=sent, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert desk.post(path, data={**sent, "token": "0" * 64}).status_code == 403
    assert "retried" not in events(owner, order)
    with put_right("down"):
        made = desk.post(path, data=sent)
        assert made.headers["location"] == f"/console/orders/{order}?did=retry"
        wait_for(owner, order, "completed")
    assert "It has its next try now." in desk.get(made.headers["location"]).text
    again = desk.post(path, data=sent)
    assert again.status_code == 409
    assert "not possible any more" in again.text


def test_a_command_does_so_too(server: Server, owner: httpx.Client) -> None:
    order = resting(owner)
    environment = {
        "CONVEYOR_SERVER": server.url,
        "CONVEYOR_API_KEY": owner.headers["authorization"].removeprefix("Bearer "),
    }
    with put_right("down"):
        said = say("orders", "retry", order, "--why", "mended", **environment)
        assert (said.code, said.out) == (0, f"Order {order} has its next try now.\n")
        wait_for(owner, order, "completed")
    refused = say("orders", "retry", order, **environment)
    assert refused.code == 1
    assert "does not rest until a next try" in refused.err


def test_cancelling_what_was_paid_says_how_much_goes_back(
    owner: httpx.Client, desk: httpx.Client
) -> None:
    order = place(owner, parcel("after", 1))
    wait_until(lambda: events(owner, order), lambda found: "fault" in found)
    assert "Cancel and refund…" in desk.get(f"/console/orders/{order}").text
    does = choices(owner, order)["cancel"]
    assert does.endswith("payments.refund, payments.void, and gives USD 23.54 back"), does
    asked = desk.get(f"/console/orders/{order}/cancel").text
    assert f"This {does}." in asked
    sent = {"token": TOKEN.findall(asked)[-1], "does": does, "reason": "sent back"}
    assert desk.post(f"/console/orders/{order}/cancel", data=sent).status_code == 303
    wait_for(owner, order, "cancelled")
    payment = owner.get(f"/v1/orders/{order}/explain").json()["payment"]
    assert payment["captured"] == payment["refunded"] == 2354
