"""Limits of the API, from both sides: the largest body, the longest story."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.api.serving import Server, order_of, place, problem_of, wait_for
from tests.api.test_events import following

from conveyor.core import timeline
from conveyor.core.timeline_event import TimelineEvent
from conveyor.operations.following import MAX_ENTRIES

MIB = 1024 * 1024


def padded(size: int) -> bytes:
    """Give an order as JSON of exactly so many bytes."""
    body = json.dumps(order_of()).encode()
    return body + b" " * (size - len(body))


@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_body_of_one_mebibyte_is_taken_and_a_byte_more_is_not(
    client: httpx.Client, *, in_pieces: bool
) -> None:
    def post(size: int) -> httpx.Response:
        body = padded(size)
        content: Any = iter([body[:1000], body[1000:]]) if in_pieces else body
        return client.post("/v1/orders", content=content)

    assert post(MIB).status_code == 202
    assert problem_of(post(MIB + 1), 413)["code"] == "too_large"


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"a": [[] for _ in range(20_001)]}, "lists and objects"),
        ({"a": list(range(5_001))}, "5,000 values"),
        ({"a": "x" * 65_536, "b": "x"}, "65,536 characters"),
        ({"a": [[[[[[[[1]]]]]]]]}, "8 deep"),
    ],
)
def test_what_is_kept_with_an_order_is_bounded(
    client: httpx.Client, metadata: dict[str, Any], why: str
) -> None:
    answer = client.post("/v1/orders", json=order_of(metadata=metadata))
    assert why in problem_of(answer, 422)["detail"]


def test_the_same_order_with_its_metadata_in_another_order_is_the_same(
    client: httpx.Client,
) -> None:
    first, second = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    one = place(client, order_of(metadata=first), key="metadata:1")
    assert place(client, order_of(metadata=second), key="metadata:1") == one


@pytest.mark.parametrize("entries", [MAX_ENTRIES - 1, MAX_ENTRIES, MAX_ENTRIES + 1, 450])
def test_a_long_story_is_told_to_its_end(
    server: Server, client: httpx.Client, entries: int
) -> None:
    order_id = place(client)
    wait_for(client, order_id, "completed")
    so_far = len(client.get(f"/v1/orders/{order_id}/timeline").json()["entries"])
    database = server.app.engine.database

    def lengthen(tx: Any) -> None:
        for _ in range(entries - so_far):
            timeline.note(tx, order_id, 1, 0, TimelineEvent.DUPLICATE_DROPPED)

    server.run(database.run(lengthen))
    with following(client, order_id) as events:
        assert len(list(events)) == entries
