"""Orders are found by all that is known of them, and what would become of many is said first."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.api.on_each import EACH, server_on
from tests.api.serving import (
    Server,
    fields_of,
    order_of,
    paid_by,
    place,
    problem_of,
    stock_up,
    wait_for,
)

Ids = dict[str, str]
THEIRS = "theirs"


@pytest.fixture(scope="module", params=EACH)
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A system of its own on each database."""
    with server_on(request, request.param, tmp_path_factory.mktemp("search")) as server:
        yield server


@pytest.fixture(scope="module")
def client(system: Server) -> httpx.Client:
    client = system.client_of("default")
    stock_up(client)
    return client


@pytest.fixture(scope="module")
def ids(system: Server, client: httpx.Client) -> Ids:
    """Orders that stand each in another way, by what they are called."""
    theirs = system.client_of(THEIRS)
    stock_up(theirs)
    mail = {"id": "mailed", "email": "Some.Body@Example.com"}
    lp = [{"sku": "LP", "quantity": 1, "unit_price": 2354}]
    two = [{"sku": sku, "quantity": 1, "unit_price": 1177} for sku in ("CD", "CD")]
    placed = {
        "done": place(client, order_of(reference="done", customer=mail, items=two)),
        "declined": place(client, paid_by("card_declined", reference="declined")),
        "sold_out": place(client, order_of(reference="sold_out", items=lp)),
        "parked": place(client, paid_by("card_down", reference="parked")),
        "theirs": place(theirs, order_of(reference="done")),
    }
    for name, order_id in placed.items():
        ends = ("completed", "refused", "parked")
        wait_for(theirs if name == "theirs" else client, order_id, *ends)
    return placed


def found(client: httpx.Client, ids: Ids, **query: Any) -> set[str]:
    answer = client.get("/v1/orders", params=query)
    assert answer.status_code == 200, answer.text
    names = {order_id: name for name, order_id in ids.items()}
    return {names[order["id"]] for order in answer.json()["orders"]}


OURS = {"done", "declined", "sold_out", "parked"}


def as_text(of: object) -> str:
    """Name a case the same in each process: the order of a set is not."""
    return " ".join(sorted(of)) if isinstance(of, set) else str(of)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, OURS),
        ({"reference": "parked"}, {"parked"}),
        ({"customer": "mailed"}, {"done"}),
        ({"email": "SOME.body@example.COM"}, {"done"}),
        ({"email": "some.body@example.co"}, set()),
        ({"sku": "LP"}, {"sold_out"}),
        ({"sku": "CD"}, {"done", "declined", "parked"}),
        ({"sku": "CD", "status": "parked"}, {"parked"}),
        ({"status": "refused"}, {"declined", "sold_out"}),
        ({"flow": "shop"}, OURS),
        ({"step": "payments.authorize"}, {"parked"}),
        ({"step": "payments.void"}, set()),
        ({"step": "payments.authorize", "status": "completed"}, set()),
        ({"reason": "card declined"}, {"declined"}),
        ({"reason": "unknown SKU: LP"}, {"sold_out"}),
        ({"merchant": "default"}, OURS),
        ({"merchant": THEIRS}, set()),
        ({"settled_after": "2020-01-01T00:00:00Z"}, OURS - {"parked"}),
        ({"settled_before": "2020-01-01T00:00:00Z"}, set()),
    ],
    ids=as_text,
)
def test_orders_are_found_by(
    client: httpx.Client, ids: Ids, query: dict[str, Any], expected: set[str]
) -> None:
    assert found(client, ids, **query) == expected


def test_the_id_is_a_filter_too(client: httpx.Client, ids: Ids) -> None:
    assert found(client, ids, id=ids["done"]) == {"done"}
    assert found(client, ids, id=ids["theirs"]) == set()


def test_who_sees_all_merchants_asks_for_one(system: Server, ids: Ids) -> None:
    everywhere = system.client()
    assert found(everywhere, ids) == OURS | {"theirs"}
    assert found(everywhere, ids, merchant=THEIRS) == {"theirs"}
    assert found(everywhere, ids, reference="done") == {"done", "theirs"}
    assert found(everywhere, ids, reference="done", merchant="default") == {"done"}


@pytest.mark.parametrize("name", ["flow", "step"])
def test_a_name_that_there_is_not_is_told_from_one_without_orders(
    client: httpx.Client, ids: Ids, name: str
) -> None:
    answer = client.get("/v1/orders", params={name: "nothing.of_that"})
    detail = problem_of(answer, 422)["detail"]
    assert fields_of(answer) == {name}
    assert ("shop" if name == "flow" else "payments.authorize") in detail
    assert found(client, ids, flow="food") == set()


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/orders/preview"])
def test_a_parameter_that_there_is_not_is_named_with_those_that_there_are(
    client: httpx.Client, path: str
) -> None:
    detail = problem_of(client.get(path, params={"refrence": "x"}), 422)["detail"]
    assert detail.startswith("refrence: ")
    for name in ("reference", "email", "settled_before", "cursor"):
        assert name in detail


def judged(client: httpx.Client, ids: Ids, **query: Any) -> dict[str, str]:
    answer = client.get("/v1/orders/preview", params=query)
    assert answer.status_code == 200, answer.text
    names = {order_id: name for name, order_id in ids.items()}
    return {names[it["id"]]: it["would"] for it in answer.json()["orders"]}


def test_what_cancelling_would_do_is_said_of_each(client: httpx.Client, ids: Ids) -> None:
    assert judged(client, ids, action="cancel") == {
        "done": "too_late",
        "declined": "too_late",
        "sold_out": "too_late",
        "parked": "accepted",
    }
    assert client.get(f"/v1/orders/{ids['parked']}").json()["status"] == "parked"


def test_what_giving_up_would_do_is_said_of_each(client: httpx.Client, ids: Ids) -> None:
    others = dict.fromkeys(OURS, "not_parked")
    assert judged(client, ids, action="compensate") == others | {"parked": "accepted"}
    assert judged(client, ids, action="discard") == others | {"parked": "accepted"}
    assert client.get(f"/v1/orders/{ids['parked']}").json()["status"] == "parked"


def test_what_redriving_would_do_is_said_of_each(client: httpx.Client, ids: Ids) -> None:
    told = judged(client, ids, action="redrive")
    assert told == dict.fromkeys(OURS, "not_parked") | {"parked": "accepted"}
    one = client.get("/v1/orders/preview", params={"action": "redrive", "status": "parked"})
    assert one.json()["orders"][0]["does"] == "takes payments.authorize again"
