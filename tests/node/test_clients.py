"""Producers and consumers in Node.js, on both SDKs, carry orders to their end."""

import signal
from pathlib import Path

import pytest
from tests.api.serving import fields_of, problem_of
from tests.node.conftest import Start
from tests.node.driver import Door, Shop
from tests.servers.waiting import wait_until

CHARGE = "billing.charge"
CONSUMERS = ("consumer-v2.js", "consumer-v3.mjs")
YES = {"charged": True, "reference": "R1"}


@pytest.mark.parametrize(
    ("program", "reference"), [("producer-v2.js", "ORD123"), ("producer-v3.mjs", "ORD124")]
)
def test_what_a_producer_sends_is_taken_as_it_is_and_completed(
    shop: Shop, start: Start, program: str, reference: str
) -> None:
    for sku in ("Item1", "Item2"):
        shop.stock(sku)

    producer = start(program)
    assert producer.end() == 0
    producer.wait_for("Order placed: ")
    shop.wait_until_empty("intake")

    found = shop.client.get("/v1/orders", params={"reference": reference}).json()["orders"]
    assert len(found) == 1
    order = shop.wait_for(found[0]["id"], "completed")
    assert (order["flow"], order["customer"]["id"]) == ("shop", "U456")
    assert [(item["sku"], item["quantity"]) for item in order["items"]] == [
        ("Item1", 1),
        ("Item2", 1),
    ]
    assert (order["total"], order["currency"]) == (10_000, "USD")
    assert shop.left("intake-dead") == 0


@pytest.mark.parametrize("program", CONSUMERS)
def test_a_consumer_stands_in_for_a_service(
    shop: Shop, start: Start, program: str, tmp_path: Path
) -> None:
    shop.stock("CD")
    consumer = start(program, POLL_MS="200")

    bought, declined = shop.place(), shop.place(payment={"method": "card_declined"})
    gone = shop.place(items=[{"sku": "GONE", "quantity": 2, "unit_price": 1177}])

    shop.wait_for(bought, "completed")
    assert shop.wait_for(declined, "refused")["reason"] == "card declined"
    shop.wait_for(gone, "refused")
    # Sold out after it was charged: the program has given the money back.
    assert shop.story(gone, "done") == [CHARGE, "billing.refund"]
    assert sorted(file.name for file in (tmp_path / "receipts").iterdir()) == sorted(
        [f"{bought}.{CHARGE}.json", f"{gone}.{CHARGE}.json", f"{gone}.billing.refund.json"]
    )
    shop.wait_until_empty()
    assert shop.client.get("/v1/audit").json()["clean"] is True
    if program == "consumer-v3.mjs":
        consumer.popen.send_signal(signal.SIGTERM)
        assert consumer.end() == 0


@pytest.mark.parametrize(
    ("method", "after"),
    [("GET", False), ("POST", False), ("POST", True)],
    ids=["before the work", "before the answer", "before the receipt of the answer"],
)
def test_a_killed_consumer_is_followed_by_another(
    shop: Shop, start: Start, tmp_path: Path, method: str, after: bool
) -> None:
    shop.stock("CD")
    order_id = shop.place()
    with Door(shop.server.url, method, after=after) as door:
        first = start("consumer-v3.mjs", CONVEYOR_SERVER=door.url)
        wait_until(door.held.is_set, bool)
        first.kill()
        second = start("consumer-v3.mjs")

        shop.wait_for(order_id, "completed")
        shop.wait_until_empty()

    assert shop.story(order_id, "done").count(CHARGE) == 1
    assert [file.name for file in (tmp_path / "receipts").iterdir()] == [
        f"{order_id}.{CHARGE}.json"
    ]
    second.wait_for("stale" if after else "answered")
    assert shop.client.get("/v1/audit").json()["clean"] is True


def test_duplicates_and_late_answers_change_nothing(shop: Shop, start: Start) -> None:
    shop.stock("CD")
    order_id = shop.place()
    url = shop.queue_url("billing")
    message = wait_until(
        lambda: shop.sqs.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages", []),
        bool,
    )[0]
    version = shop.client.get(f"/v1/orders/{order_id}").json()["version"]
    consumer = start("consumer-v3.mjs")
    shop.wait_for(order_id, "completed")
    settled = shop.client.get(f"/v1/orders/{order_id}").json()

    for _ in range(3):
        shop.sqs.send_message(QueueUrl=url, MessageBody=message["Body"])
    shop.wait_until_empty()
    consumer.wait_for("stale")
    for late in (YES, {"charged": False, "reason": "changed my mind"}):
        problem = problem_of(shop.answer(order_id, CHARGE, late, version=version), 409)
        assert problem["code"] == "not_awaited"

    assert shop.client.get(f"/v1/orders/{order_id}").json() == settled
    assert shop.story(order_id, "done").count(CHARGE) == 1


def test_a_wrong_answer_says_what_is_wrong_with_it(shop: Shop) -> None:
    order_id = shop.place()
    version = shop.client.get(f"/v1/orders/{order_id}").json()["version"]
    worker = shop.server.client_of("default", ("read", "answer"))
    stranger = shop.server.client_of("other", ("read", "answer"))
    reader = shop.server.client_of("default", ("read",))

    assert fields_of(shop.answer(order_id, CHARGE, YES, worker)) == {"version"}
    assert fields_of(
        shop.answer(order_id, CHARGE, {"charged": "yes"}, worker, version=version)
    ) == {"charged"}
    assert fields_of(shop.answer(order_id, CHARGE, YES, worker, version=0)) == {"version"}
    problem_of(shop.answer(order_id, "billing.refund", {}, worker, version=version), 409)
    problem_of(shop.answer(order_id, CHARGE, YES, worker, version=version + 1), 409)
    problem_of(shop.answer(order_id, "billing.unknown", YES, worker, version=version), 404)
    problem_of(shop.answer(order_id, "inventory.reserve", YES, worker, version=version), 404)
    problem_of(shop.answer(order_id, CHARGE, YES, stranger, version=version), 404)
    problem_of(shop.answer(order_id, CHARGE, YES, reader, version=version), 403)
    assert shop.client.get(f"/v1/orders/{order_id}").json()["version"] == version

    assert shop.answer(order_id, CHARGE, YES, worker, version=version).status_code == 202
