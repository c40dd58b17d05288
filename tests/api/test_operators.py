"""The log of operators by HTTP, on SQLite; on PostgreSQL see `test_postgres`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
from tests.api.operators import check_append_only, check_operators_log, log_of
from tests.api.serving import Server, order_of

import conveyor


def test_who_did_what(start: Callable[..., Server]) -> None:
    check_operators_log(start().client_of("default"))


def test_another_merchant_sees_none_of_it(start: Callable[..., Server]) -> None:
    server = start()
    server.client_of("default").put("/v1/stock/MINE", json={"available": 1})
    assert log_of(server.client_of("other")) == []


def test_a_cancellation_is_written_once_and_only_if_it_is_one(start: Callable[..., Server]) -> None:
    client = start().client_of("default")
    order_id = client.post("/v1/orders", json=order_of()).json()["id"]
    for _ in range(2):
        answer = client.post(f"/v1/orders/{order_id}/cancel", json={"reason": "ordered twice"})
        assert answer.status_code == 202
    assert [(it["action"], it["why"]) for it in log_of(client, order=order_id)] == [
        ("orders.cancel", "ordered twice")
    ]


def test_nothing_of_it_is_ever_changed() -> None:
    root = Path(conveyor.__file__).parent
    check_append_only([path.read_text() for path in root.rglob("*.py")])


def test_who_lacks_the_scope_is_turned_away(start: Callable[..., Server]) -> None:
    server = start()
    answer: httpx.Response = server.client_of("default", ["place"]).get("/v1/operators/log")
    assert answer.status_code == 403
