"""Following an order live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx
import pytest
from tests.api.food import PLACE, Town
from tests.api.serving import Server, paid_by, place, problem_of, wait_for

_number = count()


@pytest.fixture
def town(server: Server) -> Town:
    return Town(server, f"live-{next(_number)}", "r1")


@contextmanager
def following(client: httpx.Client, order_id: str, last: str = "") -> Iterator[Iterator[Any]]:
    """Give the events of an order as they come: (id, event, data)."""
    headers = {"last-event-id": last} if last else {}
    path = f"/v1/orders/{order_id}/events"
    with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[Any]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif fields:
            if "data" in fields:
                yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
            fields = {}


def next_of(events: Iterator[Any], kind: str) -> Any:
    return next(data for _, event, data in events if event == kind)


def test_the_whole_story_of_an_order_that_is_over(client: httpx.Client) -> None:
    order_id = place(client)
    wait_for(client, order_id, "completed")
    with following(client, order_id) as events:
        told = list(events)
    timeline = client.get(f"/v1/orders/{order_id}/timeline").json()["entries"]
    assert [data for _, _, data in told] == timeline
    assert [event for _, event, _ in told] == [entry["event"] for entry in timeline]
    numbers = [int(number) for number, _, _ in told]
    assert numbers == sorted(set(numbers))


def test_who_comes_back_is_told_what_is_new_and_then_to_stay_away(client: httpx.Client) -> None:
    order_id = place(client)
    wait_for(client, order_id, "completed")
    with following(client, order_id) as events:
        told = list(events)
    with following(client, order_id, last=told[3][0]) as events:
        assert list(events) == told[4:]
    headers = {"last-event-id": told[-1][0]}
    assert client.get(f"/v1/orders/{order_id}/events", headers=headers).status_code == 204


def test_a_meal_is_followed_live(town: Town) -> None:
    order_id = town.order()
    with following(town.owner, order_id) as events:
        assert next_of(events, "awaiting")["step"] == "restaurants.confirm"
        town.accept(order_id)
        assert next_of(events, "awaiting")["detail"]["what"] == "an answer of rider r1"
        assert town.say("r1", order_id, "accept").status_code == 202
        glimpse = next_of(events, "glimpse")
        assert (glimpse["rider"], glimpse["state"]) == ("r1", "accepted")
        town.say("r1", order_id, "picked-up")
        here = {**PLACE, "latitude": 52.6}
        town.riders["r1"].post("/v1/riders/r1/position", json=here)
        seen = next(g for _, kind, g in events if kind == "glimpse" and g["latitude"] == 52.6)
        assert seen["state"] == "picked_up"
        town.say("r1", order_id, "delivered")
        assert list(events)[-1][1] == "completed"


def test_ten_follow_one_order(town: Town, server: Server) -> None:
    order_id = town.order()
    followers = [following(server.client_of(town.merchant), order_id) for _ in range(10)]
    streams = [follower.__enter__() for follower in followers]
    assert town.owner.post(f"/v1/orders/{order_id}/cancel").status_code == 202
    for follower, events in zip(followers, streams, strict=True):
        assert list(events)[-1][1] == "cancelled"
        follower.__exit__(None, None, None)


def test_only_its_merchant_can_follow_an_order(town: Town, server: Server) -> None:
    order_id = town.order()
    problem_of(server.client_of("stranger").get(f"/v1/orders/{order_id}/events"), 404)
    problem_of(town.riders["r1"].get(f"/v1/orders/{order_id}/events"), 403)


def test_the_server_stops_with_followers(start: Any) -> None:
    running: Server = start("payments", "restaurants", "riders", "orders")
    town = Town(running, "default", "r1")
    order_id = town.order()
    with following(town.owner, order_id) as events:
        next_of(events, "awaiting")
        running.ask_to_stop()
        assert [kind for _, kind, _ in events] == []


def test_a_stream_ends_with_its_key(server: Server) -> None:
    owner = server.client_of("revoking")
    order_id = place(owner, paid_by("card_down"))
    key = owner.post("/v1/keys", json={"scopes": ["read"]}).json()
    with following(server.client(key["key"]), order_id) as events:
        next_of(events, "placed")
        owner.delete(f"/v1/keys/{key['id']}").raise_for_status()
        list(events)  # to its end, which the order, parked for ever, would not have brought
