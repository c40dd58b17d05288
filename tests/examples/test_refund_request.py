"""The refund request of docs/your-own-flow.md: a package of its own, installed, not in our tree."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import running, say, until

from conveyor.flows.shop.cdnow import order_body, packaged_purchases

STEP = "refunds.decide"
YES = '{"approved": true, "by": "sam"}'
NO = '{"approved": false, "by": "sam"}'
PRICE = 1_177


class Shop:
    """A running system with the package, by its command line."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def place(self, body: dict[str, Any]) -> str:
        """Place an order; gives its id."""
        said = say("place", "-", "--json", "--data", self.data, stdin=json.dumps(body))
        order_id: str = said.json()["id"]
        return order_id

    def status(self, order_id: str) -> str:
        """Look at an order."""
        shown = say("orders", "show", order_id, "--json", "--data", self.data)
        status: str = shown.json()["status"]
        return status

    def wait_for(self, order_id: str, status: str) -> None:
        """Wait until an order has this status."""
        until(lambda: self.status(order_id) == status)

    def bought(self) -> str:
        """Give an order that is completed."""
        body = order_body(packaged_purchases()[0]) | {"total": PRICE}
        order_id = self.place(body)
        self.wait_for(order_id, "completed")
        return order_id

    def answer(self, order_id: str, answer: str) -> Any:
        """Answer as a person does."""
        return say("orders", "answer", order_id, STEP, answer, "--data", self.data)

    def explain(self, order_id: str) -> str:
        """Read an order's story."""
        return say("explain", order_id, "--data", self.data).out

    def credits(self) -> dict[str, int]:
        """Give the store credit by request, as the package's own table has it."""
        with closing(sqlite3.connect(self.data / "conveyor.db")) as db:
            return dict(db.execute("SELECT request, amount FROM store_credits"))


def refund_of(order_id: str, **changes: Any) -> dict[str, Any]:
    """Give a refund request."""
    return {
        "flow": "refund",
        "order": order_id,
        "why": "scratched",
        "customer": {"id": packaged_purchases()[0].customer},
        "currency": "USD",
        "items": [{"sku": "CD", "quantity": 1, "unit_price": PRICE}],
        "payment": {"method": "store_credit"},
        "shipping": {"country": "US"},
    } | changes


@pytest.fixture(scope="module")
def shop(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """`conveyor up`, in a process that has the package installed."""
    data = tmp_path_factory.mktemp("shop")
    with running(data, PYTHONPATH=str(package)) as (_, ready):
        assert "refunds" in ready["services"]
        say("stock", "set", "CD", 1_000, "--data", data)
        yield Shop(data)


def test_it_is_not_in_our_own_import_path() -> None:
    with pytest.raises(ModuleNotFoundError):
        __import__("refund_request")


def test_an_approved_request_gives_credit(shop: Shop) -> None:
    request = shop.place(refund_of(shop.bought()))
    shop.wait_for(request, "awaiting")
    waiting = shop.explain(request)

    assert shop.answer(request, YES).code == 0
    shop.wait_for(request, "completed")

    assert "It waits for the answer that refunds.decide awaits, until " in waiting
    assert "refunds.decide awaits a person's decision, 14 d at most" in waiting
    assert shop.credits()[request] == PRICE
    assert "refunds.decide is done (by sam)" in shop.explain(request)


def test_a_request_that_is_turned_down_may_be_made_again(shop: Shop) -> None:
    order_id = shop.bought()
    first = shop.place(refund_of(order_id))
    shop.wait_for(first, "awaiting")

    shop.answer(first, NO)
    shop.wait_for(first, "refused")
    second = shop.place(refund_of(order_id))
    shop.wait_for(second, "awaiting")

    assert first not in shop.credits()
    assert "refunds.release is done" in shop.explain(first)


def test_a_refund_is_asked_for_once(shop: Shop) -> None:
    order_id = shop.bought()
    requests = [shop.place(refund_of(order_id)) for _ in range(3)]

    until(lambda: sorted(map(shop.status, requests)) == ["awaiting", "refused", "refused"])


def test_it_can_be_cancelled_while_it_waits(shop: Shop) -> None:
    request = shop.place(refund_of(shop.bought()))
    shop.wait_for(request, "awaiting")

    assert say("orders", "cancel", request, "--data", shop.data).code == 0
    shop.wait_for(request, "cancelled")

    assert shop.answer(request, YES).code == 1
    assert request not in shop.credits()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"order": "01KDVXQG0053EJ2M8Q4N7T6WAB"}, "this customer has no such order"),
        ({"customer": {"id": "somebody else"}}, "this customer has no such order"),
        ({"items": [{"sku": "CD", "quantity": 2, "unit_price": PRICE}]}, "more than was paid"),
        ({"currency": "EUR"}, "more than was paid"),
    ],
    ids=["unknown", "another's", "too-much", "currency"],
)
def test_what_no_person_need_look_at_is_refused(
    shop: Shop, changes: dict[str, Any], reason: str
) -> None:
    request = shop.place(refund_of(shop.bought()) | changes)

    shop.wait_for(request, "refused")
    assert reason in shop.explain(request)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"order": "the last one"}, "order"),
        ({"why": None}, "why"),
        ({"payment": {"method": "card_ok"}}, "payment.method"),
        ({"whim": True}, "whim"),
    ],
    ids=["id", "missing", "method", "unknown"],
)
def test_its_orders_are_typed(shop: Shop, changes: dict[str, Any], field: str) -> None:
    body = refund_of("01KDVXQG0053EJ2M8Q4N7T6WAB") | changes

    said = say("place", "-", "--data", shop.data, stdin=json.dumps(body))

    assert said.code == 1
    assert f"{field}: " in said.err


def test_every_invariant_holds(shop: Shop) -> None:
    audited = say("audit", "--data", shop.data)

    assert audited.code == 0, audited.out
