"""Whoever asks for too much, or tries keys, is told when to come again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import httpx
from tests.api.food import Town
from tests.api.serving import Server, problem_of
from tests.edge.wire import Wire, request
from tests.servers.waiting import wait_until

UNKNOWN = f"cvy_{'a' * 16}_{'b' * 32}"


def test_keys_that_fail_are_tried_so_often_and_no_more(start: Callable[..., Server]) -> None:
    server = start(failed_keys_a_minute=20)
    used, fresh = server.client_of("acme"), server.client_of("acme")
    assert used.get("/v1/orders").status_code == 200
    unknown = server.client(UNKNOWN)
    answers = [unknown.get("/v1/orders") for _ in range(40)]

    assert [answer.status_code for answer in answers] == [401] * 20 + [429] * 20
    assert problem_of(answers[-1], 429)["code"] == "rate_limited"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert server.client("").get("/v1/orders").status_code == 429
    assert fresh.get("/v1/orders").status_code == 429  # or whoever tries keys would find it
    assert used.get("/v1/orders").status_code == 200  # and is not to suffer for its neighbour
    assert server.client("").get("/healthz").status_code == 200


def test_a_key_in_use_goes_on_working_when_another_is_revoked(start: Callable[..., Server]) -> None:
    server = start(failed_keys_a_minute=5)
    used = server.client_of("acme")
    other = used.post("/v1/keys", json={"scopes": ["read"]}).json()["id"]
    unknown = server.client(UNKNOWN)
    assert [unknown.get("/v1/orders").status_code for _ in range(6)] == [401] * 5 + [429]
    assert used.delete(f"/v1/keys/{other}").status_code == 204
    assert used.get("/v1/orders").status_code == 200


def test_only_a_proxy_of_ours_says_whose_keys_fail(start: Callable[..., Server]) -> None:
    def tries(server: Server, count: int) -> list[int]:
        client = server.client(UNKNOWN)
        return [
            client.get("/v1/orders", headers={"x-forwarded-for": f"192.0.2.{n}"}).status_code
            for n in range(count)
        ]

    assert tries(start(failed_keys_a_minute=5), 10) == [401] * 5 + [429] * 5


def test_behind_a_proxy_each_client_has_its_own_rate(start: Callable[..., Server]) -> None:
    server = start(failed_keys_a_minute=5, trusted_proxies="127.0.0.0/8")
    client = server.client(UNKNOWN)

    def one_by(address: str) -> int:
        return client.get("/v1/orders", headers={"x-forwarded-for": address}).status_code

    # What a client wrote itself stands further left, and is not believed.
    assert [one_by(f"203.0.113.{n}, 192.0.2.1") for n in range(6)] == [401] * 5 + [429]
    assert one_by("192.0.2.2") == 401
    # One machine has a whole network of IPv6 addresses to come from.
    assert [one_by(f"2001:db8:0:1::{n}") for n in range(6)] == [401] * 5 + [429]
    assert one_by("2001:db8:0:2::1") == 401


def test_a_key_asks_so_often_and_no_more(start: Callable[..., Server]) -> None:
    server = start(requests_a_second=10)
    eager, other = server.client_of("acme"), server.client_of("acme")
    answers = [eager.get("/v1/orders") for _ in range(60)]

    too_many = [answer for answer in answers if answer.status_code == 429]
    assert answers[0].status_code == 200
    assert too_many
    assert all(int(answer.headers["retry-after"]) > 0 for answer in too_many)
    assert other.get("/v1/orders").status_code == 200
    wait_until(lambda: eager.get("/v1/orders").status_code, lambda status: status == 200)


def test_a_key_follows_so_many_orders_and_no_more(start: Callable[..., Server]) -> None:
    server = start(streams=3)
    client = server.client_of("acme")
    town = Town(server, "acme", "r1")
    order = town.order()  # which waits for its restaurant
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(_follow(server, client, order))
        refused = client.get(f"/v1/orders/{order}/events")
        assert problem_of(refused, 429)["code"] == "rate_limited"
        assert int(refused.headers["retry-after"]) > 0
    wait_until(lambda: _status(client, order), lambda status: status == 200)


def _follow(server: Server, client: httpx.Client, order: str) -> Wire:
    key = client.headers["authorization"]
    wire = Wire(server.url)
    wire.send(request(f"/v1/orders/{order}/events", f"Authorization: {key}"))
    assert b"200 OK" in wire.some()
    return wire


def _status(client: httpx.Client, order: str) -> int:
    with client.stream("GET", f"/v1/orders/{order}/events") as stream:
        return stream.status_code
