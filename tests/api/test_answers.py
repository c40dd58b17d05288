"""The door for answers: who may answer what, and how often."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.api.serving import Server, fields_of, order_of, place, problem_of, wait_for

STEP = "review.decide"
YES = {"approved": True, "by": "sam"}
NO = {"approved": False, "by": "sam"}
LARGE = 50_000


@pytest.fixture
def reviewing(start: Callable[..., Server]) -> Server:
    """A system with the README's flow: large orders wait for a person."""
    return start("orders", "payments", "review", extensions="examples.own_flow:EXTENSION")


def place_large(client: httpx.Client) -> str:
    """Place an order and wait until it awaits a person."""
    items = [{"sku": "CD", "quantity": 1, "unit_price": LARGE}]
    order_id = place(client, order_of(flow="reviewed", items=items, total=LARGE))
    wait_for(client, order_id, "awaiting")
    return order_id


def answer(client: httpx.Client, order_id: str, body: Any, step: str = STEP) -> httpx.Response:
    """Answer, as JSON."""
    return client.post(f"/v1/orders/{order_id}/answers/{step}", json=body)


def test_an_answer_moves_the_order_on(reviewing: Server) -> None:
    client = reviewing.client_of("default")
    order_id = place_large(client)

    taken = answer(client, order_id, YES)

    assert taken.status_code == 202, taken.text
    assert taken.json() == {"order": order_id, "step": STEP}
    wait_for(client, order_id, "completed")
    entries = client.get(f"/v1/orders/{order_id}/timeline").json()["entries"]
    assert [e["detail"] for e in entries if (e["event"], e["step"]) == ("done", STEP)] == [
        {"by": "sam"}
    ]


def test_a_no_undoes_what_was_done(reviewing: Server) -> None:
    client = reviewing.client_of("default")
    order_id = place_large(client)

    assert answer(client, order_id, NO).status_code == 202

    refused = wait_for(client, order_id, "refused")
    assert refused["reason"] == "turned down by sam"
    entries = client.get(f"/v1/orders/{order_id}/timeline").json()["entries"]
    assert [e["step"] for e in entries if e["event"] == "done"] == [
        "payments.authorize",
        "payments.void",
    ]


def test_the_first_answer_counts(reviewing: Server) -> None:
    client = reviewing.client_of("default")
    order_id = place_large(client)

    answers = [answer(client, order_id, body) for body in (YES, NO, YES)]

    assert [given.status_code for given in answers] == [202, 409, 409]
    assert problem_of(answers[1], 409)["code"] == "not_awaited"
    wait_for(client, order_id, "completed")


def test_nobody_answers_for_another_merchant(reviewing: Server) -> None:
    client, other = reviewing.client_of("default"), reviewing.client_of("other")
    order_id = place_large(client)

    assert problem_of(answer(other, order_id, YES), 404)["detail"] == "There is no such order."
    assert client.get(f"/v1/orders/{order_id}").json()["status"] == "awaiting"


def test_only_an_operator_answers(reviewing: Server) -> None:
    client = reviewing.client_of("default")
    order_id = place_large(client)

    shopper = reviewing.client_of("default", ("place", "read"))

    problem_of(answer(shopper, order_id, YES), 403)
    problem_of(answer(reviewing.client(""), order_id, YES), 401)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"by": "sam"}, {"approved"}),
        ({"approved": "perhaps", "by": 3}, {"approved", "by"}),
        ([], {""}),
    ],
    ids=["missing", "wrong", "no-object"],
)
def test_an_answer_of_another_form_is_turned_away(
    reviewing: Server, body: Any, fields: set[str]
) -> None:
    client = reviewing.client_of("default")
    order_id = place_large(client)

    assert fields_of(answer(client, order_id, body)) == fields
    assert client.get(f"/v1/orders/{order_id}").json()["status"] == "awaiting"


def test_what_is_not_json_is_turned_away(reviewing: Server) -> None:
    client = reviewing.client_of("default")
    order_id = place_large(client)

    problem_of(client.post(f"/v1/orders/{order_id}/answers/{STEP}", content=b"yes"), 400)


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("NaN", 400),
        ("Infinity", 400),
        ("1" * 4_000, 400),
        ('"a\\u0000b"', 422),
        ("[" * 20 + "]" * 20, 422),
    ],
    ids=["nan", "infinity", "digits", "nul", "deep"],
)
def test_what_nothing_can_keep_is_turned_away_even_where_nobody_looks(
    reviewing: Server, value: str, status: int
) -> None:
    client = reviewing.client_of("default")
    order_id = place_large(client)
    body = f'{{"approved": true, "by": "sam", "ignored": {value}}}'

    answered = client.post(f"/v1/orders/{order_id}/answers/{STEP}", content=body)

    problem_of(answered, status)
    assert client.get(f"/v1/orders/{order_id}").json()["status"] == "awaiting"


@pytest.mark.parametrize("step", ["payments.authorize", "shipping.ship", "no.such", "x"])
def test_a_step_that_asks_nobody_takes_no_answer(reviewing: Server, step: str) -> None:
    """A carrier's confirmation is signed: no operator's key stands in for it."""
    client = reviewing.client_of("default")
    order_id = place_large(client)

    assert "takes answers" in problem_of(answer(client, order_id, YES, step), 404)["detail"]


@pytest.mark.parametrize("order_id", ["01KDVXQG0053EJ2M8Q4N7T6WAB", "nothing"])
def test_there_must_be_such_an_order(reviewing: Server, order_id: str) -> None:
    problem_of(answer(reviewing.client_of("default"), order_id, YES), 404)


def test_an_order_that_awaits_nothing_takes_no_answer(reviewing: Server) -> None:
    client = reviewing.client_of("default")
    small = place(client, order_of(flow="reviewed"))
    wait_for(client, small, "completed")

    assert "completed" in problem_of(answer(client, small, YES), 409)["detail"]
