"""Bad data of a parked order are put right: the difference is shown, and the order goes on."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect
from tests.api.serving import Server, place, wait_for
from tests.console.gifts import NOWHERE, gift
from tests.console.night import owner
from tests.console.shop import Seat
from tests.console.test_accessibility import PHONE, violations
from tests.servers.memory import directory_in_memory

__all__ = ["owner"]

Visit = Callable[[], httpx.Client]
HIDDEN = re.compile(r'<input type="hidden" name="([a-z.]+)" value="([^"]*)">')
AREA = re.compile(r'<textarea id="field\.([a-z.]+)"[^>]*>([^<]*)</textarea>')
SOMEWHERE = {"name": "B. Canary", "city": "Springfield", "country": "US"}
SETTINGS: dict[str, Any] = {"extensions": "tests.console.gifts:EXTENSION", "max_receives": 1}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A system with that flow."""
    with directory_in_memory() as home, Server(home, **SETTINGS) as running:
        yield running


@pytest.fixture
def key(owner: httpx.Client) -> str:
    """A key of somebody on call."""
    made: str = owner.post("/v1/keys", json={"scopes": ["operate"]}).json()["key"]
    return made


@pytest.fixture
def desk(server: Server, key: str, visit: Visit) -> httpx.Client:
    """Somebody of that merchant who has signed in."""
    visitor = visit()
    visitor.base_url = httpx.URL(server.url)
    assert visitor.post("/console/sign-in", data={"key": key}).status_code == 303
    return visitor


def parked(client: httpx.Client, key: str | None = None, **changes: Any) -> str:
    """Place a gift, and wait until it is parked."""
    order = place(client, gift(**changes), key=key) if key else place(client, gift(**changes))
    wait_for(client, order, "parked")
    return order


def path_of(order: str) -> str:
    """Give where an order is changed."""
    return f"/console/orders/{order}/edit"


def sent_by(text: str) -> dict[str, str]:
    """Give what the form of a page would send."""
    found = {name: html.unescape(value) for name, value in HIDDEN.findall(text)}
    return found | {f"field.{name}": html.unescape(said) for name, said in AREA.findall(text)}


def lines(text: str, tag: str) -> str:
    """Give what a page marks as new, or as gone."""
    return html.unescape("\n".join(re.findall(rf"<{tag}>(.*?)</{tag}>", text)))


def test_an_address_is_put_right_and_the_order_goes_on(
    server: Server, owner: httpx.Client, desk: httpx.Client
) -> None:
    order = parked(owner, key="the-key")
    assert f"{path_of(order)}" in desk.get(f"/console/orders/{order}").text
    form = sent_by(desk.get(path_of(order)).text)
    assert {it for it in form if it.startswith("field.")} == {
        "field.customer.email",
        "field.shipping",
        "field.metadata",
    }
    assert json.loads(form["field.shipping"])["city"] == NOWHERE

    asked = desk.post(path_of(order), data=form | {"field.shipping": json.dumps(SOMEWHERE)}).text
    assert "Springfield" in lines(asked, "ins")
    assert NOWHERE in lines(asked, "del")
    assert owner.get(f"/v1/orders/{order}").json()["shipping"]["city"] == NOWHERE
    sure = sent_by(asked)
    assert desk.post(path_of(order), data=sure | {"reason": ""}).status_code == 422
    made = desk.post(path_of(order), data=sure | {"reason": "they called", "redrive": "on"})
    assert made.headers["location"] == f"/console/orders/{order}?did=edit"
    wait_for(owner, order, "completed")
    assert owner.get(f"/v1/orders/{order}").json()["shipping"]["city"] == "Springfield"

    told = owner.get(f"/v1/orders/{order}/explain").json()
    [said] = [it for it in told["sentences"] if "changed what it says" in it]
    assert "fields shipping" in said
    assert "why they called" in said
    story = json.dumps(owner.get(f"/v1/orders/{order}/timeline").json())
    log = owner.get(f"/v1/operators/log?order={order}").json()["actions"]
    assert [it["action"] for it in log] == ["orders.redrive", "orders.edit"]
    assert log[1]["detail"] == {"fields": ["shipping"]}
    for text in (story, json.dumps(log), json.dumps(told["sentences"])):
        assert not any(it in text for it in ("Canary", "Springfield", NOWHERE))
    # Whoever sends the order again, as it was placed, is told that it was.
    again = owner.post("/v1/orders", json=gift(), headers={"idempotency-key": "the-key"})
    assert again.json()["id"] == order
    report = server.client().get("/v1/audit").json()
    assert [it for it in report["checks"] if it["violations"]] == []


def test_what_is_wrong_is_said_at_its_field(owner: httpx.Client, desk: httpx.Client) -> None:
    order = parked(owner)
    form = sent_by(desk.get(path_of(order)).text)
    for wrong, said in (
        ("{", "is not JSON"),
        ('{"country": "usa"}', "country: String should match pattern"),
        ('{"planet": "Mars"}', "planet: Extra inputs are not permitted"),
    ):
        refused = desk.post(path_of(order), data=form | {"field.shipping": wrong})
        assert refused.status_code == 422
        assert said in html.unescape(refused.text)
        assert sent_by(refused.text)["field.shipping"] == wrong
    same = desk.post(path_of(order), data=form)
    assert (same.status_code, "Nothing is different" in same.text) == (422, True)


def test_much_that_is_different_is_shown_and_others_are_answered(
    owner: httpx.Client, desk: httpx.Client
) -> None:
    # As large as an order may be: compared letter by letter, that held up everybody for minutes.
    was, will = ({"notes": [f"{word} {it}" for it in range(3_000)]} for word in ("old", "new"))
    order = parked(owner, metadata=was)
    form = sent_by(desk.get(path_of(order)).text)
    asked = desk.post(path_of(order), data=form | {"field.metadata": json.dumps(will)}).text
    assert lines(asked, "del").count("old ") == lines(asked, "ins").count("new ") == 3_000


def test_a_card_that_nothing_came_of_is_replaced(owner: httpx.Client, desk: httpx.Client) -> None:
    order = parked(owner, payment={"method": "card_down"}, shipping=SOMEWHERE)
    form = sent_by(desk.get(path_of(order)).text)
    asked = desk.post(path_of(order), data=form | {"field.payment": '{"method": "card_ok"}'}).text
    assert "card_ok" in lines(asked, "ins")
    sure = sent_by(asked) | {"reason": "another card", "redrive": "on"}
    assert desk.post(path_of(order), data=sure).status_code == 303
    wait_for(owner, order, "completed")
    told = owner.get(f"/v1/orders/{order}/explain").json()
    called = [(it["attempt"], it["state"]) for it in told["calls"]]
    # Another request has another key: the provider may have kept the first one with its own.
    assert called[:2] == [(1, "not_applied"), (2, "answered")]
    assert told["payment"]["captured"] == told["order"]["total"]


def test_what_somebody_was_asked_for_is_asked_again_as_it_was(
    owner: httpx.Client, desk: httpx.Client
) -> None:
    order = parked(owner, payment={"method": "card_unanswered"}, shipping=SOMEWHERE)
    assert path_of(order) not in desk.get(f"/console/orders/{order}").text
    text = desk.get(path_of(order)).text
    assert "nobody knows yet what became of that" in text
    assert "<textarea" not in text
    token = re.findall(r'name="token" value="([0-9a-f]{64})"', text)[-1]
    forged = {
        "token": token,
        "field.payment": '{"method": "card_ok"}',
        "sure": "yes",
        "reason": "x",
    }
    assert desk.post(path_of(order), data=forged).status_code == 409
    assert owner.get(f"/v1/orders/{order}").json()["payment"]["method"] == "card_unanswered"


def test_what_was_paid_with_and_what_was_sold_stay(owner: httpx.Client, desk: httpx.Client) -> None:
    order = parked(owner)
    form = sent_by(desk.get(path_of(order)).text)
    before = owner.get(f"/v1/orders/{order}").json()
    for field, value in (
        ("payment", '{"method": "card_stolen"}'),
        ("items", '[{"sku": "CD", "quantity": 1}]'),
        ("total", "1"),
        ("flow", '"shop"'),
        ("customer.id", '"somebody"'),
    ):
        refused = desk.post(path_of(order), data=form | {f"field.{field}": value})
        assert "Nothing is different" in refused.text, field
    assert owner.get(f"/v1/orders/{order}").json() == before


def test_two_who_change_an_order_do_not_undo_each_other(
    owner: httpx.Client, desk: httpx.Client
) -> None:
    order = parked(owner)
    form = sent_by(desk.get(path_of(order)).text)

    def sure(city: str) -> dict[str, str]:
        shipping = json.dumps(SOMEWHERE | {"city": city})
        asked = desk.post(path_of(order), data=form | {"field.shipping": shipping}).text
        return sent_by(asked) | {"reason": "they called"}

    first, second = sure("Springfield"), sure("Shelbyville")
    assert desk.post(path_of(order), data=first).status_code == 303
    assert owner.get(f"/v1/orders/{order}").json()["status"] == "parked"  # as nobody redrove it
    late = desk.post(path_of(order), data=second)
    assert late.status_code == 409
    assert "This is what it says now" in late.text
    assert owner.get(f"/v1/orders/{order}").json()["shipping"]["city"] == "Springfield"
    owner.post(f"/v1/dead-letters/{order}/redrive").raise_for_status()
    wait_for(owner, order, "completed")
    assert desk.post(path_of(order), data=second).status_code == 409
    assert "Only an order that is parked" in desk.get(path_of(order)).text


def test_an_order_is_changed_by_its_own_merchant_from_our_own_pages(
    server: Server, owner: httpx.Client, desk: httpx.Client
) -> None:
    order, theirs = parked(owner), parked(server.client_of("neighbour"))
    assert desk.get(path_of(theirs)).status_code == 404
    form = sent_by(desk.get(path_of(order)).text)
    assert desk.post(path_of(theirs), data=form).status_code == 404
    for headers, data in (
        ({"sec-fetch-site": "cross-site"}, form),
        ({"sec-fetch-site": "same-origin"}, form | {"token": "0" * 64}),
    ):
        assert desk.post(path_of(order), data=data, headers=headers).status_code == 403


def test_it_is_done_in_a_browser(
    server: Server, owner: httpx.Client, key: str, browser: Browser
) -> None:
    order = parked(owner)
    shop: Any = SimpleNamespace(url=server.url, key=key)
    seat = Seat(browser, shop)
    seat.sign_in()
    page = seat.page
    page.goto(f"/console/orders/{order}")
    page.get_by_role("button", name="Change what it says").click()
    page.get_by_label("shipping").fill('{"city": "Springfield", "country": "us"}')
    page.get_by_role("button", name="Show the difference").click()
    expect(page.get_by_text("country: String should match pattern")).to_be_visible()
    found = {"wrong": violations(page)}
    page.get_by_label("shipping").fill('{"city": "Springfield", "country": "US"}')
    page.get_by_role("button", name="Show the difference").click()
    expect(page.locator("ins", has_text="Springfield")).to_be_visible()
    found["difference"] = violations(page)
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_label("Reason").fill("they called")
    page.get_by_role("button", name="Change the order").click()
    expect(page.get_by_role("status").first).to_have_text("It was changed.")
    seat.context.close()
    wait_for(owner, order, "completed")
    assert found == {"wrong": [], "difference": []}
    assert all("422 (Unprocessable" in it for it in seat.complaints)  # of the country above
