"""Searches are kept by a name, for all who are on call for a merchant."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect
from tests.api.serving import Server
from tests.console.night import owner, server
from tests.console.shop import Seat
from tests.console.test_accessibility import PHONE, violations

from conveyor.commerce.orders.saved_searches import MOST_SAVED

__all__ = ["owner", "server"]

Visit = Callable[[], httpx.Client]
ORDERS = "/console/orders"
SEARCHES = "/console/searches"
TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
SAVED = re.compile(r'<li><a href="([^"]*)"[^>]*>([^<]*)</a>\s*<form method="post"')


@pytest.fixture
def sign_in(server: Server, visit: Visit) -> Callable[[httpx.Client], httpx.Client]:
    """Let somebody of a merchant sign in."""

    def signed_in(of: httpx.Client) -> httpx.Client:
        visitor = visit()
        visitor.base_url = httpx.URL(server.url)
        key = of.post("/v1/keys", json={"scopes": ["operate"]}).json()["key"]
        assert visitor.post("/console/sign-in", data={"key": key}).status_code == 303
        return visitor

    return signed_in


def saved(visitor: httpx.Client) -> dict[str, str]:
    """Give the searches that the page of orders offers, and where they lead."""
    text = visitor.get(ORDERS).text
    return {html.unescape(name): html.unescape(to) for to, name in SAVED.findall(text)}


def token_of(visitor: httpx.Client) -> str:
    """Give what each form of this visitor's holds."""
    token: str = TOKEN.findall(visitor.get(ORDERS).text)[-1]
    return token


def test_a_search_is_kept_found_again_and_forgotten(
    server: Server, owner: httpx.Client, sign_in: Callable[[httpx.Client], httpx.Client]
) -> None:
    mine, colleague = sign_in(owner), sign_in(owner)
    stranger = sign_in(server.client_of("neighbour"))
    asks = {"status": "parked", "step": "weighing.weigh", "reason": "a & b"}
    assert "Save this search" in mine.get(ORDERS, params=asks).text
    sent = asks | {"token": token_of(mine), "name": "stuck at the <scales>"}
    made = mine.post(SEARCHES, data=sent)
    assert made.status_code == 303
    for visitor in (mine, colleague):
        to = saved(visitor)["stuck at the <scales>"]
        page = visitor.get(to)
        assert page.url.params["reason"] == "a & b"
        assert f'aria-current="page">{html.escape(sent["name"])}' in page.text
    assert "stuck at the <scales>" not in saved(stranger)
    gone = {"token": token_of(stranger), "name": sent["name"]}
    assert stranger.post(f"{SEARCHES}/forget", data=gone).status_code == 404

    again = sent | {"status": "awaiting"}
    assert mine.post(SEARCHES, data=again).status_code == 303
    assert "status=awaiting" in saved(colleague)[sent["name"]]
    gone["token"] = token_of(colleague)
    assert colleague.post(f"{SEARCHES}/forget", data=gone).status_code == 303
    assert sent["name"] not in saved(mine)
    log = owner.get("/v1/operators/log").json()["actions"]
    assert [it["action"] for it in log[:3]] == [
        "searches.forget",
        "searches.save",
        "searches.save",
    ]
    assert {it["subject"] for it in log[:3]} == {sent["name"]}  # as it was written, for good


def test_none_is_kept_for_one_customer_or_without_end(
    owner: httpx.Client, sign_in: Callable[[httpx.Client], httpx.Client]
) -> None:
    visitor = sign_in(owner)
    assert "Save this search" not in visitor.get(f"{ORDERS}?email=a@b.example&status=parked").text
    token = token_of(visitor)
    for data in (
        {"name": "hers", "status": "parked", "email": "a@b.example"},
        {"name": "hers", "customer": "00001"},
        {"name": "all"},
        {"name": "", "status": "parked"},
        {"name": "x" * 61, "status": "parked"},
        {"name": "two\nlines", "status": "parked"},
        {"name": "long", "reason": "x" * 501},
        {"name": "odd", "sku": "CD\x00"},
        {"name": "wrong", "status": "lost"},
        {"name": "late", "placed_after": "yesterday"},
    ):
        assert visitor.post(SEARCHES, data=data | {"token": token}).status_code == 422, data
    for odd in ("x" * 501, "\x00"):
        looked = visitor.get(ORDERS, params={"reason": odd})
        assert (looked.status_code, "reason is one line" in looked.text) == (422, True)
    for number in range(MOST_SAVED):
        kept = {"name": f"search {number}", "status": "parked", "token": token}
        assert visitor.post(SEARCHES, data=kept).status_code == 303
    more = visitor.post(SEARCHES, data={"name": "more", "status": "parked", "token": token})
    assert (more.status_code, "forget one first" in more.text) == (422, True)
    assert len(saved(visitor)) == MOST_SAVED


def test_it_is_kept_from_our_own_pages_alone(
    owner: httpx.Client, sign_in: Callable[[httpx.Client], httpx.Client]
) -> None:
    visitor = sign_in(owner)
    sent = {"name": "mine", "status": "parked", "token": token_of(visitor)}
    for path in (SEARCHES, f"{SEARCHES}/forget"):
        cross = visitor.post(path, data=sent, headers={"sec-fetch-site": "cross-site"})
        forged = visitor.post(path, data=sent | {"token": "0" * 64})
        assert (cross.status_code, forged.status_code) == (403, 403)
    assert saved(visitor) == {}


def test_it_is_done_in_a_browser(server: Server, owner: httpx.Client, browser: Browser) -> None:
    key = owner.post("/v1/keys", json={"scopes": ["operate"]}).json()["key"]
    shop: Any = SimpleNamespace(url=server.url, key=key)
    seat = Seat(browser, shop)
    seat.sign_in()
    page = seat.page
    page.goto(f"{ORDERS}?status=parked")
    page.get_by_text("Save this search").click()
    page.get_by_label("Name").fill("all that is parked")
    page.get_by_role("button", name="Save").click()
    page.goto(ORDERS)
    found = violations(page)
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("link", name="all that is parked").click()
    expect(page.get_by_label("Status")).to_have_value("parked")
    page.get_by_role("button", name="Forget the search all that is parked").click()
    expect(page.get_by_role("link", name="all that is parked")).to_have_count(0)
    seat.context.close()
    assert (found, seat.complaints) == ([], [])
